"""Selections and rows of reports."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from ratekit.domain import period
from ratekit.domain.series import Shared


class AllScopes(enum.Enum):
    """The type of :data:`ALL_SCOPES`: no collection, so that none is taken for it by mistake."""

    ALL_SCOPES = "all scopes"


#: A report includes every scope.
ALL_SCOPES: Final = AllScopes.ALL_SCOPES


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """The frames that a report includes.

    :ivar begin: start of the first period, UTC, inclusive; None: from the first frame on
    :ivar end: compared with a period's begin, exclusive; None: until the last frame
    :ivar scopes: ids, or :data:`ALL_SCOPES`; an empty set selects nothing. It has no default: a
        caller that forgot it would show a tenant the bills of others
    :ivar metrics: public names; empty for all
    :ivar labels: the values that each of these labels must have one of, as text that is compared
        character by character; None is a label that is null or that the frame lacks
    """

    begin: datetime.datetime | None = None
    end: datetime.datetime | None = None
    _: dataclasses.KW_ONLY
    scopes: AllScopes | frozenset[str]
    metrics: tuple[str, ...] = ()
    labels: Mapping[str, frozenset[str | None]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.scopes, AllScopes | frozenset):
            raise TypeError(f"expected ALL_SCOPES or a frozenset of ids, not {self.scopes!r}")
        for name, values in self.labels.items():
            if not isinstance(values, frozenset):
                raise TypeError(f"label {name!r}: expected a frozenset of values, not {values!r}")
        for instant in (self.begin, self.end):
            if instant is not None:
                period.require_utc(instant)


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A part of the rows of a report, whose order is total.

    :ivar offset: number of rows to skip
    :ivar limit: maximum number of rows; None: all others
    """

    offset: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.offset < 0 or (self.limit is not None and self.limit < 0):
            raise ValueError(f"a page has no negative numbers: {self}")

    @property
    def end(self) -> int | None:
        """The number of the first row after the page, if it has a limit."""
        return None if self.limit is None else self.offset + self.limit


#: All rows of a report.
EVERYTHING = Page()


@dataclasses.dataclass(frozen=True, slots=True)
class StateRow:
    """The state of a scope; all instants are UTC.

    :ivar active: the fetcher returns it, or it is not yet rated until the time when it last did
    :ivar retry_at: it is not tried before
    :ivar last_seen: when the fetcher last returned it
    :ivar fetcher: name of the plug-in that returned it first
    :ivar collector: name of the plug-in that was in use then
    :ivar scope_key: what kind of ID it has, such as project_id
    :ivar deactivated_at: when an operator deactivated it; None: it is not deactivated
    """

    id: str
    name: str
    rated_until: datetime.datetime
    active: bool
    failures: int
    last_error: str | None
    retry_at: datetime.datetime | None
    last_seen: datetime.datetime
    fetcher: str
    collector: str
    scope_key: str
    deactivated_at: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ResetPlan:
    """What resetting a scope would remove: all that begins in ``[since, rated_until)``.

    :ivar scope: its id
    :ivar since: from where on it would be rated again, UTC
    :ivar rated_since: start of its first period until now, UTC; None: not known
    :ivar rated_until: how far it is rated now, UTC
    :ivar resets: how often it has been reset before
    :ivar step: length of the periods that were rated from there on; None: not known
    :ivar frames: number of frames that would go
    :ivar price: their exact sum
    """

    scope: str
    since: datetime.datetime
    rated_until: datetime.datetime
    resets: int
    step: datetime.timedelta | None
    frames: int
    price: Decimal
    rated_since: datetime.datetime | None = None

    def __post_init__(self) -> None:
        period.require_utc(self.since)
        period.require_utc(self.rated_until)


@dataclasses.dataclass(frozen=True, slots=True)
class SummaryRow:
    """Sums of one group.

    :ivar group: value of each groupby key, in the order of the request; a period is its begin in
        UTC, another time the aware start of the hour, day, week, month or year in the requested
        zone, a label that a frame lacks None
    :ivar points: number of frames
    :ivar quantity: sum over frames; None: the group mixes metrics or units
    :ivar unit: the quantity's unit; None if the quantity is
    :ivar price: exact sum
    """

    group: Mapping[str, str | datetime.datetime | None]
    points: int
    quantity: Decimal | None
    unit: str | None
    price: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class SummaryPage:
    """Some groups of a summary, and facts about all of it at the same instant.

    :ivar rows: of the page
    :ivar total: number of groups without a page
    :ivar rated_until: where exactly one scope is selected, how far it is rated, UTC: its usage
        until then is in the sums, and no later one; None: another number, or it does not exist
    """

    rows: Sequence[SummaryRow]
    total: int
    rated_until: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class FrameRow:
    """A frame as stored.

    :ivar begin: start of its period, UTC
    :ivar shared: what its quantity is a share of; None: it is not shared, as in all frames from
        before shares were stored
    """

    begin: datetime.datetime
    scope: str
    metric: str
    unit: str
    quantity: Decimal
    price: Decimal
    groupby: Mapping[str, str | None]
    metadata: Mapping[str, str | None]
    shared: Shared | None = None
