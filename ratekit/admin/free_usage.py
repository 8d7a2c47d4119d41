"""Usage that costs something by the rules there are, and nothing after a change of them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence

from ratekit.domain import period
from ratekit.domain.reporting.reports import FrameRow, Selection
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.series import Series
from ratekit.interfaces import RatingModule, Storage
from ratekit.pricing import rule_change
from ratekit.pricing.price_list import PriceList
from ratekit.pricing.rule_change import RuleChange

#: What is written instead of "for ever" is no time to look at, and has no period after it.
_FAR = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class FreeUsage:
    """What a service's usage of the newest rated period would no longer cost.

    :ivar usages: number of frames that would cost nothing, at least one
    :ivar since: begin of the first period in which the example does, UTC
    :ivar scope: whose usage the example is
    :ivar labels: those of its labels that rules look at
    """

    usages: int
    since: datetime.datetime
    scope: str
    labels: Mapping[str, str]


def newly_free(
    storage: Storage,
    book: RuleBook,
    change: RuleChange,
    modules: Sequence[RatingModule],
    step: datetime.timedelta,
) -> Mapping[str, FreeUsage]:
    """Return what a change of ``book`` makes free of charge, by service.

    The usage of the last period that was rated is priced by both rule books, as if it were
    used again whenever the change changes prices of its service. Read one frame at a time.

    :param step: length of a period
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    moments = _moments(change, step)
    rated = storage.rules.rated_until()
    if rated is None or not moments:
        return {}
    new = rule_change.applied(book, change)
    before, after = PriceList(modules, book), PriceList(modules, new)
    fields = _fields((*book.rules, *new.rules))
    found: dict[str, FreeUsage] = {}
    selection = Selection(rated - step, rated, metrics=tuple(moments))
    for row in storage.reports.frames(selection):
        since = _free_since(row, before, after, moments[row.metric])
        if since is None:
            continue
        known = found.get(row.metric)
        if known is None or since < known.since:
            count = 1 if known is None else known.usages + 1
            labels = _labels(row, fields.get(row.metric, ()))
            found[row.metric] = FreeUsage(count, since, row.scope, labels)
        else:
            found[row.metric] = dataclasses.replace(known, usages=known.usages + 1)
    return dict(sorted(found.items()))


def _moments(
    change: RuleChange, step: datetime.timedelta
) -> Mapping[str, Sequence[datetime.datetime]]:
    """Return the begins of periods from which on prices change, by service and time."""
    found: dict[str, set[datetime.datetime]] = {}
    for rule, moment in _turns(change):
        if moment is None or moment < _FAR:
            begin = period.ceiling(max(moment or period.EPOCH, period.EPOCH), step)
            found.setdefault(rule.target.metric, set()).add(begin)
    return {service: sorted(own) for service, own in found.items()}


def _turns(change: RuleChange) -> Iterable[tuple[Rule, datetime.datetime | None]]:
    yield from change.close
    for rule in change.add:
        yield rule, rule.terms.start
        if rule.terms.end is not None:
            yield rule, rule.terms.end


def _fields(members: Iterable[Rule]) -> Mapping[str, set[str]]:
    """Return the labels that rules look at, by service."""
    found: dict[str, set[str]] = {}
    for rule in members:
        if rule.target.label is not None:
            found.setdefault(rule.target.metric, set()).add(rule.target.label)
    return found


def _free_since(
    row: FrameRow,
    before: PriceList,
    after: PriceList,
    moments: Sequence[datetime.datetime],
) -> datetime.datetime | None:
    points = [(moment, row.quantity) for moment in moments]
    series = Series(row.scope, row.metric, row.unit, row.groupby, row.metadata, points)
    priced = zip(moments, before.prices(series), after.prices(series), strict=True)
    return next((moment for moment, old, new in priced if old > 0 >= new), None)


def _labels(row: FrameRow, names: Iterable[str]) -> Mapping[str, str]:
    given = {**row.metadata, **row.groupby}
    return {name: text for name in sorted(names) if (text := given.get(name)) is not None}
