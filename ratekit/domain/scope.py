"""Who is billed, and how far they have been rated."""

from __future__ import annotations

import dataclasses
import datetime

from ratekit.domain import period


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Who is billed: by default a Keystone project.

    :ivar id: value of the scope key, at most 255 characters
    :ivar name: for people; may be empty
    """

    id: str
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """How far a scope has been rated.

    :ivar scope_pk: id of the scope's row in the database
    :ivar scope: who
    :ivar rated_until: end of its last rated period, or where it starts; UTC
    :ivar last_seen: when the fetcher last listed it, and where there is a gap ahead that is
        not to be rated, when it did before that; UTC
    :ivar failures: attempts that failed since the last success
    :ivar retry_at: not to be tried before, or None; UTC
    :ivar resets: how often an operator has reset it; what was collected before is void
    """

    scope_pk: int
    scope: Scope
    rated_until: datetime.datetime
    last_seen: datetime.datetime
    failures: int = 0
    retry_at: datetime.datetime | None = None
    resets: int = 0

    def __post_init__(self) -> None:
        period.require_utc(self.rated_until)
        period.require_utc(self.last_seen)
