"""Find usage that is stored at price 0 because no rule matches it."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping

from ratekit.domain.reporting.monitoring import MonitoringFacts
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reporting.status import Issue, IssueKind
from ratekit.domain.rules.rule import Rule
from ratekit.interfaces import Monitoring
from ratekit.pricing import stored_usage
from ratekit.pricing.price_list import PriceList
from ratekit.text import count_text, list_text, utc_text

#: Number of usages at price 0 that are compared with the rules.
_LIMIT = 1000


def find(
    monitoring: Monitoring, facts: MonitoringFacts, begin: datetime.datetime, prices: PriceList
) -> Iterator[Issue]:
    """Yield an issue for all metrics without a rule, and one for each other metric.

    It is about the period that starts at ``begin``. Usage that a rule matches is free on purpose.

    :raises ratekit.errors.TryLater: the storage did not answer
    """
    rules = [rule for rule in prices.book.rules if rule.terms.in_force(begin)]
    names = {rule.target.metric for rule in rules}
    counts = {name: count for name, count in facts.free_usage.items() if name not in names}
    if counts:
        metrics = list_text(list(counts), limit=len(counts))
        yield _issue(sum(counts.values()), metrics, begin, "no rule prices them")
    partly_priced = facts.free_usage.keys() & names
    if not partly_priced:
        return
    unmatched = _find_unmatched(monitoring, begin, partly_priced, prices)
    for metric, (count, example) in sorted(unmatched.items()):
        reason = f"no rule matches, for example {_describe(example, rules)}"
        yield _issue(count, metric, begin, reason)


def _issue(count: int, metrics: str, begin: datetime.datetime, reason: str) -> Issue:
    subject = f"{count_text(count, 'usage')} of {metrics} at {utc_text(begin)}"
    return Issue(
        IssueKind.UNPRICED, count, subject, reason, remedy="add rules: see ratekit hashmap plan"
    )


def _find_unmatched(
    monitoring: Monitoring,
    begin: datetime.datetime,
    metrics: Collection[str],
    prices: PriceList,
) -> Mapping[str, tuple[int, FrameRow]]:
    """Return the number of usages that no rule matches and one of them, by metric."""
    unmatched: dict[str, tuple[int, FrameRow]] = {}
    for row in monitoring.free_frames(begin, metrics, _LIMIT):
        explanation = prices.explain(stored_usage.build_series([row]))
        if not any(module.groups for module in explanation.modules):
            count, example = unmatched.get(row.metric, (0, row))
            unmatched[row.metric] = count + 1, example
    return unmatched


def _describe(row: FrameRow, rules: Collection[Rule]) -> str:
    """Return the scope of a usage, and its labels that rules look at."""
    labels = {**row.metadata, **row.groupby}
    names = {rule.target.label for rule in rules if rule.target.metric == row.metric}
    pairs = [f"{name}={labels[name]}" for name in sorted(filter(None, names)) if name in labels]
    return ", ".join([*pairs, f"scope {row.scope}"])
