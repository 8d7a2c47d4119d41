"""The metrics that are rated, of a metrics.yml that may change at any time."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ratekit import composition, errors
from ratekit.api.faults import Fault
from ratekit.files import metrics_file

LOG = logging.getLogger(__name__)

_RETRY_AFTER = 60
#: The identity of a file's content: device, inode, size, time of change. None: there is no file.
_Version = tuple[int, int, int, int] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Info:
    """What clients learn of one metric.

    :ivar name: its public name
    :ivar labels: those that a rule may look at
    """

    name: str
    unit: str
    labels: Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Metrics:
    """The content of a metrics.yml.

    :ivar settings: each metric's, by its name in the file; several of one name are a list
    """

    infos: Sequence[Info]
    settings: Mapping[str, Any]


class MetricsWatch:
    """Reads metrics.yml, and again when it has changed.

    :param conf: a loaded ``ConfigOpts``
    """

    def __init__(self, conf: Any) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._version: _Version | str = "not read"
        self._metrics: Metrics | None = None

    def load(self) -> Metrics:
        """Read the file, whether or not it has changed.

        :raises ratekit.errors.OperatorError: the file or the collector cannot be used
        """
        path = self._conf.collect.metrics_conf
        metrics, _ = composition.read_metrics(self._conf, offline=True)
        labels = metrics_file.read_labels(path, self._conf.collect.scope_key)
        infos = [
            Info(metric.public_name, metric.unit, sorted(labels[metric.public_name]))
            for metric in metrics
        ]
        return Metrics(infos, metrics_file.read_settings(path))

    def read(self) -> Metrics:
        """Return the metrics; those of before, if the file has changed and cannot be used.

        :raises ratekit.api.faults.Fault: it cannot be used, and never could be
        """
        with self._lock:
            version = self._read_version()
            if version != self._version:
                self._version = version
                self._adopt()
            if self._metrics is None:
                text = "the metrics cannot be read at present; the operator's log says why"
                raise Fault(503, text, Retry_After=str(_RETRY_AFTER))
            return self._metrics

    def _adopt(self) -> None:
        try:
            self._metrics = self.load()
        except errors.OperatorError as error:
            outcome = (
                "no metrics" if self._metrics is None else "the metrics that it has read before"
            )
            for line in error.lines():
                LOG.error("%s; the API goes on with %s", line, outcome)

    def _read_version(self) -> _Version:
        try:
            status = os.stat(self._conf.collect.metrics_conf)
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
