"""The text format of Prometheus, for the textfile collector of node_exporter."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.cmd.output import whole_file

#: node_exporter runs as another user.
_MODE = 0o644


@dataclasses.dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge.

    :ivar help: one line
    :ivar samples: labels and value; a gauge without samples is not written
    """

    name: str
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def write(path: str, gauges: Iterable[Gauge]) -> None:
    """Replace a file at once, so that no reader sees a part of it.

    :raises ratekit.errors.OperatorError: it cannot be written
    """
    content = "".join(f"{line}\n" for gauge in gauges for line in _lines(gauge))
    try:
        whole_file.replace(pathlib.Path(path), content, _MODE)
    except OSError as error:
        raise errors.OperatorError(f"--prometheus: cannot write {path}: {error.strerror}") from None


def _lines(gauge: Gauge) -> Iterator[str]:
    if gauge.samples:
        yield f"# HELP {gauge.name} {gauge.help}"
        yield f"# TYPE {gauge.name} gauge"
    for labels, value in gauge.samples:
        pairs = ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items())
        yield f"{gauge.name}{{{pairs}}} {value:.15g}" if pairs else f"{gauge.name} {value:.15g}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
