"""Find usage that has a price now and would be free of charge after a change of the rules."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence

from ratekit.domain import period
from ratekit.domain.reporting.reports import ALL_SCOPES, AllScopes, FrameRow
from ratekit.domain.rules.rule import MappingRule, Rule, RuleBook, RuleTarget
from ratekit.interfaces import RatingModule, Storage
from ratekit.pricing import rule_change, stored_usage
from ratekit.pricing.price_list import PriceList
from ratekit.pricing.rule_change import RuleChange

#: Some operators write 9999 for "forever"; no price changes at such a time.
_FAR = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class FreeUsage:
    """Recent usage of a metric that would become free of charge.

    :ivar usages: number of frames, at least one
    :ivar since: start of the first period in which the example is free, UTC
    :ivar scope: ID of the scope of the example
    :ivar labels: the labels of the example that rules look at
    """

    usages: int
    since: datetime.datetime
    scope: str
    labels: Mapping[str, str | None]


def find_free_usage(
    storage: Storage,
    book: RuleBook,
    change: RuleChange,
    modules: Sequence[RatingModule],
    step: datetime.timedelta,
) -> Mapping[str, FreeUsage]:
    """Return the usage that a change of ``book`` makes free of charge, by metric.

    Price the newest usage of each scope by both rule books, at each time at which the change
    affects its metric: scopes are rated at different times, and not every period has usage of
    each metric. Frames are read one by one.

    :param step: length of a period
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    starts = _price_change_starts(change, step)
    if not starts:
        return {}
    new = rule_change.apply(book, change)
    before, after = PriceList(modules, book), PriceList(modules, new)
    label_names = _labels_by_metric((*book.rules, *new.rules))
    free: dict[str, FreeUsage] = {}
    for row in storage.reports.newest_usage(starts.keys(), _affected_scopes(change)):
        since = _free_since(row, before, after, starts[row.metric])
        if since is None:
            continue
        previous = free.get(row.metric)
        if previous is None or since < previous.since:
            count = 1 if previous is None else previous.usages + 1
            labels = _labels(row, label_names.get(row.metric, ()))
            free[row.metric] = FreeUsage(count, since, row.scope, labels)
        else:
            free[row.metric] = dataclasses.replace(previous, usages=previous.usages + 1)
    return dict(sorted(free.items()))


def count_unpriced_nulls(
    storage: Storage,
    book: RuleBook,
    modules: Sequence[RatingModule],
    at: datetime.datetime,
) -> Mapping[RuleTarget, int]:
    """Return how many recent usages cost nothing and have a null label.

    Only labels that rules look at count, and of these only the ones that no rule for null prices.
    Frames are read one by one.

    :param book: the rules by which the usage would be priced
    :param at: when it would be priced, UTC
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    rules = [rule for rule in book.rules if rule.terms.end is None or rule.terms.end > at]
    label_names = _labels_by_metric(rule for rule in rules if not _prices_null(rule))
    for rule in rules:
        if _prices_null(rule):
            label_names.get(rule.target.metric, set()).discard(rule.target.label or "")
    metrics = {metric for metric, names in label_names.items() if names}
    if not metrics:
        return {}
    prices = PriceList(modules, book)
    counts: dict[RuleTarget, int] = {}
    for row in storage.reports.newest_usage(metrics, ALL_SCOPES):
        labels = _labels(row, label_names[row.metric])
        nulls = [name for name, text in labels.items() if text is None]
        if not nulls:
            continue
        [price] = prices.prices(stored_usage.build_series_at(row, [at]))
        for name in nulls if price == 0 else ():
            target = RuleTarget(row.metric, name)
            counts[target] = counts.get(target, 0) + 1
    return counts


def _prices_null(rule: Rule) -> bool:
    return isinstance(rule, MappingRule) and rule.target.label is not None and rule.value is None


def _price_change_starts(
    change: RuleChange, step: datetime.timedelta
) -> Mapping[str, Sequence[datetime.datetime]]:
    """Return the starts of periods from which prices change, by metric, in order."""
    starts: dict[str, set[datetime.datetime]] = {}
    for rule, instant in _rule_changes(change):
        if instant is None or instant < _FAR:
            begin = period.ceiling(max(instant or period.EPOCH, period.EPOCH), step)
            starts.setdefault(rule.target.metric, set()).add(begin)
    return {metric: sorted(instants) for metric, instants in starts.items()}


def _rule_changes(change: RuleChange) -> Iterable[tuple[Rule, datetime.datetime | None]]:
    """Yield each rule with the instants at which it starts or ends."""
    yield from change.close
    for rule in change.add:
        yield rule, rule.terms.start
        if rule.terms.end is not None:
            yield rule, rule.terms.end


def _affected_scopes(change: RuleChange) -> AllScopes | frozenset[str]:
    """Return the scopes whose prices may change: a rule of a scope prices no other scope."""
    scopes = {rule.terms.scope for rule, _ in _rule_changes(change)}
    return ALL_SCOPES if None in scopes else frozenset(filter(None, scopes))


def _labels_by_metric(rules: Iterable[Rule]) -> Mapping[str, set[str]]:
    """Return the labels that rules look at, by metric."""
    label_names: dict[str, set[str]] = {}
    for rule in rules:
        if rule.target.label is not None:
            label_names.setdefault(rule.target.metric, set()).add(rule.target.label)
    return label_names


def _free_since(
    row: FrameRow,
    before: PriceList,
    after: PriceList,
    starts: Sequence[datetime.datetime],
) -> datetime.datetime | None:
    series = stored_usage.build_series_at(row, starts)
    new_prices = after.prices(series)
    # Nearly all usages keep a price, and what it was before does not matter.
    if min(new_prices) > 0:
        return None
    prices = zip(starts, before.prices(series), new_prices, strict=True)
    return next((start for start, old, new in prices if old > 0 >= new), None)


def _labels(row: FrameRow, names: Iterable[str]) -> Mapping[str, str | None]:
    labels = {**row.metadata, **row.groupby}
    return {name: labels[name] for name in sorted(names) if name in labels}
