"""What a planned change must not do without an operator's word: leave usage free of charge."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.admin import free_usage
from ratekit.admin.free_usage import FreeUsage
from ratekit.domain import period
from ratekit.domain.reporting.reports import Selection
from ratekit.domain.rules import succession
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.files import rule_warnings
from ratekit.files.rule_warnings import Labels
from ratekit.files.rules_file import PlacedRule
from ratekit.interfaces import RatingModule, Reports, Storage
from ratekit.pricing.rule_change import RuleChange, apply, identity
from ratekit.text import utc_text

_Stretch = tuple[datetime.datetime, datetime.datetime]


def newly_priced(placed: Iterable[PlacedRule], change: RuleChange) -> Sequence[PlacedRule]:
    """Return the rules of a file on services and fields that have no rules now."""
    known = {rule.target for rule in change.keep} | {rule.target for rule, _ in change.close}
    new = {rule.target for rule in change.add} - known
    return [one for one in placed if one.rule.target in new]


def require_known(
    path: str,
    placed: Collection[PlacedRule],
    metrics_path: str,
    labels: Labels,
    reports: Reports,
) -> None:
    """Refuse rules on services and fields that no usage has: a typing mistake charges nothing.

    :param path: of the rule file, as the operator gave it
    :param placed: the rules to look at
    :param metrics_path: of the metrics.yml that ``labels`` are from
    :param labels: nothing where that could not be read, and nothing can be told by
    :raises ratekit.errors.BadInput: with a line for each service and field
    """
    if not rule_warnings.strangers(path, placed, metrics_path, labels):
        return
    # Only now, since it reads through all labels that were ever stored.
    known = {name: set(own) for name, own in labels.items()}
    for name, own in reports.labels().items():
        known.setdefault(name, set()).update(own)
    _refuse_unknown(rule_warnings.strangers(path, placed, metrics_path, known))


def require_scopes(
    path: str, placed: Iterable[PlacedRule], change: RuleChange, names: Mapping[str, str]
) -> None:
    """Refuse new rules for scopes that nobody knows: such a rule never matches.

    :param path: of the rule file, as the operator gave it
    :param placed: the rules of the file
    :param names: of all scopes, by id; nothing where none is known, and nothing can be told by
    :raises ratekit.errors.BadInput: with a line for each scope
    """
    added = {identity(rule) for rule in change.add}
    new = [one for one in placed if identity(one.rule) in added]
    _refuse_unknown(rule_warnings.stray_scopes(path, new, names))


def _refuse_unknown(found: Collection[errors.Mistake]) -> None:
    if found:
        raise errors.BadInput(
            dataclasses.replace(one, expected=f"{one.expected}; --allow-unknown takes them")
            for one in found
        )


def require_priced(
    book: RuleBook,
    change: RuleChange,
    storage: Storage,
    modules: Sequence[RatingModule],
    step: datetime.timedelta,
) -> None:
    """Refuse to leave usage free of charge that has been rated, and had a price.

    :param modules: highest priority first
    :param step: length of a period
    :raises ratekit.errors.OperatorError: with a line for each service
    """
    lines = {
        service: f"{service} would cost nothing {when}, and it has been rated: keep a rule for "
        "it, or say --allow-free"
        for service, when in left_free(book, change).items()
        if storage.reports.summary(Selection(metrics=(service,)), ("metric",), datetime.UTC)
    }
    for service, found in free_usage.newly_free(storage, book, change, modules, step).items():
        lines.setdefault(service, _free_line(service, found))
    if lines:
        raise errors.OperatorError("\n".join(lines.values()))


def _free_line(service: str, found: FreeUsage) -> str:
    usages = f"{found.usages:,} usage{'' if found.usages == 1 else 's'}"
    labels = "".join(f"{name}={text!r} " for name, text in found.labels.items())
    return (
        f"{service}: {usages} of the newest rated period, such as {labels}of scope {found.scope}, "
        f"would cost nothing from {utc_text(found.since)} on, where the rules before have a "
        "price: keep a rule for them, or say --allow-free"
    )


def left_free(book: RuleBook, change: RuleChange) -> Mapping[str, str]:
    """Return the services that have rules now and would have none: service -> when.

    Only of times at which there are rules for it in ``book``.
    """
    before, after = _by_service(book.rules), _by_service(apply(book, change).rules)
    closed = {rule.target.metric for rule, _ in change.close}
    found = {}
    for service in sorted(closed):
        free = _without(_covered(before[service]), _covered(after[service]))
        if free:
            begin, end = free[0]
            until = "on" if end == period.FOREVER else f"until {utc_text(end)}"
            found[service] = f"from {utc_text(begin)} {until}"
    return found


def _by_service(rules: Iterable[Rule]) -> Mapping[str, Sequence[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.target.metric, []).append(rule)
    return found


def _covered(rules: Iterable[Rule]) -> Sequence[_Stretch]:
    """Return when any of ``rules`` is in force, in order, without overlaps."""
    stretches: list[_Stretch] = []
    for begin, end in sorted(_lasting(rules)):
        if stretches and begin <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(end, stretches[-1][1]))
        else:
            stretches.append((begin, end))
    return stretches


def _lasting(rules: Iterable[Rule]) -> Iterator[_Stretch]:
    for rule in rules:
        begin, end = succession.start(rule), succession.end(rule)
        if begin < end:
            yield begin, end


def _without(stretches: Collection[_Stretch], others: Iterable[_Stretch]) -> list[_Stretch]:
    """Return what is left of ``stretches``, in order."""
    left = list(stretches)
    for begin, end in others:
        left = [
            part
            for first, last in left
            for part in ((first, min(last, begin)), (max(first, end), last))
            if part[0] < part[1]
        ]
    return left
