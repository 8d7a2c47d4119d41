"""Refuse planned changes of the rules that are probably mistakes, unless an option allows them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.admin import free_usage
from ratekit.admin import metric as metric_admin
from ratekit.admin.free_usage import FreeUsage
from ratekit.domain import period
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.files import rule_warnings
from ratekit.files.rule_warnings import Labels
from ratekit.files.rules_file import PlacedRule
from ratekit.interfaces import RatingModule, Reports, Storage
from ratekit.pricing.rule_change import NULL, RuleChange, apply, identity
from ratekit.text import count_text, utc_text

_Range = tuple[datetime.datetime, datetime.datetime]


def newly_priced(placed: Iterable[PlacedRule], change: RuleChange) -> Sequence[PlacedRule]:
    """Return the rules of a file for metrics and labels that have no rules now."""
    targets = {rule.target for rule in change.keep} | {rule.target for rule, _ in change.close}
    new_targets = {rule.target for rule in change.add} - targets
    return [placed_rule for placed_rule in placed if placed_rule.rule.target in new_targets]


def require_known(
    path: str,
    placed: Collection[PlacedRule],
    metrics_path: str,
    labels: Labels,
    reports: Reports,
) -> None:
    """Refuse rules for metrics and labels that no usage has: they would charge nothing.

    :param path: path of the rule file, as the operator gave it
    :param placed: the rules to check
    :param metrics_path: path of the metrics.yml with ``labels``
    :param labels: empty: metrics.yml cannot be read, and nothing is refused
    :raises ratekit.errors.BadInput: with a line for each metric and label
    """
    if not rule_warnings.find_unknown_targets(path, placed, metrics_path, labels):
        return
    # Only now, because it reads all labels that were ever stored.
    label_names = metric_admin.merge_labels(labels, reports.labels())
    _refuse_unknown(rule_warnings.find_unknown_targets(path, placed, metrics_path, label_names))


def require_scopes(
    path: str, placed: Iterable[PlacedRule], change: RuleChange, names: Mapping[str, str]
) -> None:
    """Refuse new rules for unknown scopes: such a rule never matches.

    :param path: path of the rule file, as the operator gave it
    :param placed: the rules of the file
    :param names: names of all scopes, by ID; empty: there are none yet, and nothing is refused
    :raises ratekit.errors.BadInput: with a line for each scope
    """
    identities = {identity(rule) for rule in change.add}
    new = [placed_rule for placed_rule in placed if identity(placed_rule.rule) in identities]
    _refuse_unknown(rule_warnings.find_unknown_scopes(path, new, names))


def _refuse_unknown(mistakes: Collection[errors.Mistake]) -> None:
    if mistakes:
        raise errors.BadInput(
            dataclasses.replace(
                mistake, expected=f"{mistake.expected}; use --allow-unknown to accept them"
            )
            for mistake in mistakes
        )


def require_priced(
    book: RuleBook,
    change: RuleChange,
    storage: Storage,
    modules: Sequence[RatingModule],
    step: datetime.timedelta,
    remedy: str = "use --allow-free",
) -> None:
    """Refuse a change that makes usage free of charge that has been rated with a price.

    :param modules: highest priority first
    :param step: length of a period
    :param remedy: how the operator allows it
    :raises ratekit.errors.StateConflict: with a line for each metric
    """
    lines = {
        metric: f"{metric} has been rated, but would cost nothing {time}: keep a rule for it, or "
        f"{remedy}"
        for metric, time in find_unpriced_times(book, change).items()
        if _is_rated(storage, metric)
    }
    free = free_usage.find_free_usage(storage, book, change, modules, step)
    for metric, usage in free.items():
        lines.setdefault(metric, _free_line(metric, usage, remedy))
    if lines:
        raise errors.StateConflict(*lines.values())


def _is_rated(storage: Storage, metric: str) -> bool:
    # A summary reads all totals of the metric, of years; most metrics have newer usage.
    if any(True for _ in storage.reports.newest_usage([metric], ALL_SCOPES)):
        return True
    selection = Selection(scopes=ALL_SCOPES, metrics=(metric,))
    return any(True for _ in storage.reports.summary(selection, ("metric",), datetime.UTC))


def _free_line(metric: str, usage: FreeUsage, remedy: str) -> str:
    labels = [
        f"{name}={NULL if text is None else repr(text)}" for name, text in usage.labels.items()
    ]
    example = " ".join([*(labels or ["that"]), f"of scope {usage.scope}"])
    return (
        f"{metric}: {count_text(usage.usages, 'recent usage')}, such as {example}, would cost "
        f"nothing from {utc_text(usage.since)}, but has a price by the current rules: keep a rule "
        f"for it, or {remedy}"
    )


def find_unpriced_times(book: RuleBook, change: RuleChange) -> Mapping[str, str]:
    """Return the metrics that would have no rules at a time at which they have rules now.

    :returns: for each metric the first such time, as a phrase
    """
    before, after = _by_metric(book.rules), _by_metric(apply(book, change).rules)
    closed = {rule.target.metric for rule, _ in change.close}
    phrases = {}
    for metric in sorted(closed):
        unpriced = _subtract(_merge_ranges(before[metric]), _merge_ranges(after[metric]))
        if unpriced:
            begin, end = unpriced[0]
            until = "" if end == period.FOREVER else f" until {utc_text(end)}"
            phrases[metric] = f"from {utc_text(begin)}{until}"
    return phrases


def _by_metric(rules: Iterable[Rule]) -> Mapping[str, Sequence[Rule]]:
    rules_by_metric: dict[str, list[Rule]] = {}
    for rule in rules:
        rules_by_metric.setdefault(rule.target.metric, []).append(rule)
    return rules_by_metric


def _merge_ranges(rules: Iterable[Rule]) -> Sequence[_Range]:
    """Return when any of ``rules`` is in force, in order, without overlaps."""
    ranges: list[_Range] = []
    for begin, end in sorted(_rule_ranges(rules)):
        if ranges and begin <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((begin, end))
    return ranges


def _rule_ranges(rules: Iterable[Rule]) -> Iterator[_Range]:
    for rule in rules:
        begin, end = succession.start(rule), succession.end(rule)
        if begin < end:
            yield begin, end


def _subtract(ranges: Iterable[_Range], subtrahends: Iterable[_Range]) -> list[_Range]:
    """Return the parts of ``ranges`` that none of the others overlaps, in order."""
    remainder = list(ranges)
    for begin, end in subtrahends:
        remainder = [
            part
            for first, last in remainder
            for part in ((first, min(last, begin)), (max(first, end), last))
            if part[0] < part[1]
        ]
    return remainder
