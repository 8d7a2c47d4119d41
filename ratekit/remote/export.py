"""Exports that an API writes."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from typing import NamedTuple

from ratekit.domain.reporting.reports import Selection
from ratekit.remote.client import Client, reading_answers
from ratekit.remote.pairs import encode_filters

_WARNING = re.compile('299 - "(.*)"')


class Download(NamedTuple):
    """A file that is being read.

    :ivar parts: of its content
    :ivar frames: number of frames in its charges, if it is whole: a connection without chunks ends
        in the middle as it does in the end
    :ivar warning: what the file lacks; None: nothing
    """

    parts: Iterator[bytes]
    frames: int
    warning: str | None


@contextlib.contextmanager
def read_focus(
    client: Client, selection: Selection, granularity: str, zone: datetime.tzinfo
) -> Iterator[Download]:
    """Return a CSV file of charges as FOCUS.

    :param selection: with begin and end, without labels
    :raises: as :meth:`ratekit.remote.client.Client.stream`
    """
    assert selection.begin is not None, "exports start somewhere"
    assert selection.end is not None, "exports end somewhere"
    body, filters = encode_filters(selection)
    with client.stream(
        "/v2/export/focus",
        "text/csv",
        body,
        **filters,
        begin=selection.begin.isoformat(),
        end=selection.end.isoformat(),
        granularity=granularity,
        zone=None if zone is datetime.UTC else str(zone),
    ) as (headers, parts):
        with reading_answers():
            frames = int(headers["X-Frame-Count"])
        warning = _WARNING.fullmatch(headers.get("Warning", ""))
        yield Download(parts, frames, warning and warning[1])
