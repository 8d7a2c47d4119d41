"""Results of inspections."""

from __future__ import annotations

import dataclasses
import enum


class Severity(enum.Enum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    :ivar check: name of the check, a few words, the same in every report
    :ivar verdict: ERROR: usage is not rated; WARNING: it may be rated other than intended
    :ivar detail: the result, one line
    :ivar remedy: what an operator can do, one line; empty: nothing has to be done
    :ivar shared: it concerns the whole back end, not only the metric that was inspected
    """

    check: str
    verdict: Severity
    detail: str
    remedy: str = ""
    shared: bool = False
