"""What an inspection found, whatever it looked at."""

from __future__ import annotations

import dataclasses
import enum


class Severity(enum.Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    :ivar what: name of the check, a few words, the same in every report
    :ivar verdict: ERROR: usage is not rated, or held; WARNING: it may not be as meant
    :ivar detail: what was found, one line
    :ivar remedy: what an operator can do about it, one line; empty where nothing is to be done
    :ivar shared: it is about the back end as a whole, whichever metric was looked at
    """

    what: str
    verdict: Severity
    detail: str
    remedy: str = ""
    shared: bool = False
