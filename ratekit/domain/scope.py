"""Scopes, which are billed, and how far each has been rated."""

from __future__ import annotations

import dataclasses
import datetime

from ratekit.domain import period


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Scope:
    """A billed unit: by default a Keystone project.

    :ivar id: value of the scope key, at most 255 characters
    :ivar name: for display; may be empty
    """

    id: str
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """How far a scope has been rated.

    :ivar scope_pk: id of the scope's row in the database
    :ivar scope: the scope
    :ivar rated_until: end of its last rated period, or the start of its first one; UTC
    :ivar last_seen: when the fetcher last listed it; before a gap that is not rated: when the
        fetcher last listed it before the gap; UTC
    :ivar failures: failed attempts since the last success
    :ivar retry_at: earliest time of the next attempt, UTC; None: any time
    :ivar resets: how often an operator has reset it; a reset invalidates usage collected before
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
