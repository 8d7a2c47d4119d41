"""Which price rules gave the price of a frame, as the SKU of a charge."""

from __future__ import annotations

import bisect
import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from ratekit.admin.explain import PastRules
from ratekit.domain.exact import EXACT, ZERO, round_price
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.rules import calendar_labels, public_id
from ratekit.domain.rules.explanation import Explanation, GroupExplanation, RuleVerdict
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleBook, ThresholdRule
from ratekit.pricing.rule_change import describe
from ratekit.pricing.stored_usage import build_series

#: Between the ids of rules that gave a price together.
_AND = "+"
#: A unit price that is larger is no use to readers of files.
_LIMIT = Decimal("1e10")


@dataclasses.dataclass(frozen=True, slots=True)
class Sku:
    """What a price comes from.

    :ivar sku_id: ids of the rules, which stay when their costs change
    :ivar price_id: the same with the version of each
    :ivar unit_price: what a unit costs, exactly, to 28 places; None: the price is none per unit
    :ivar rules: the rules in words
    :ivar rounded_once: these rules charge the unit price for any quantity, and nothing else: of
        several rating modules, each rounds
    """

    sku_id: str
    price_id: str
    unit_price: Decimal | None
    rules: Sequence[str]
    rounded_once: bool = False

    def gives(self, frame: FrameRow) -> bool:
        """Return whether the frame costs its quantity times the unit price."""
        unit_price = self.unit_price
        return unit_price is not None and (
            round_price(EXACT.multiply(unit_price, frame.quantity)) == frame.price
        )


#: SKUs that are kept: of a series, which has a new one with each rule, and in all.
_MAX_MEMORY, _MAX_SKUS = 32, 10_000

#: The SKUs of a series as far as they are known.
Memory = dict[tuple[object, ...], Sku]


class SkuFinder:
    """Finds the SKU of each frame; the rules are looked at once for each series and price."""

    def __init__(self, past_rules: PastRules) -> None:
        self._past_rules = past_rules
        self._sections: dict[int, Mapping[str, _Section]] = {}
        self._skus: dict[tuple[str, Decimal | None], Sku] = {}

    def find(self, frame: FrameRow, memory: Memory) -> Sku:
        """Return what gave the frame's price: for equal prices the same object.

        :param memory: of the frame's series; it is added to
        :raises ratekit.errors.TryLater: the storage did not answer
        """
        if len(memory) >= _MAX_MEMORY:
            memory.clear()
        for price_list, _ in self._past_rules.price_lists(frame.begin):
            key = self._key(price_list.book, frame)
            sku = memory.get(key)
            if sku is None:
                explanation = price_list.explain(build_series([frame]))
                sku = memory[key] = self._share(_describe(frame.metric, explanation))
            if sku.gives(frame):
                return sku
            if sku.rounded_once:
                continue
            series = build_series([frame])
            if price_list.prices(series)[0] == frame.price:
                if sku.unit_price is not None:
                    # A module that explains nothing charges this quantity by itself.
                    sku = _describe(frame.metric, price_list.explain(series))
                return self._share(dataclasses.replace(sku, unit_price=None, rounded_once=False))
        word = _no_rules(frame.metric, "unknown")
        return self._share(Sku(word, word, None, ()))

    def _share(self, sku: Sku) -> Sku:
        if len(self._skus) >= _MAX_SKUS:
            self._skus.clear()
        return self._skus.setdefault((sku.price_id, sku.unit_price), sku)

    def _key(self, book: RuleBook, frame: FrameRow) -> tuple[object, ...]:
        """Return what decides which rules count for the frame, beside its labels."""
        sections = self._sections.get(book.version)
        if sections is None:
            sections = self._sections[book.version] = _cut(book)
        section = sections.get(frame.metric)
        return (book.version, *(section.key(frame) if section is not None else ()))


@dataclasses.dataclass(slots=True)
class _Section:
    """What of the rules of a metric depends on time and quantity.

    :ivar bounds: starts and ends of rules
    :ivar levels: of thresholds on the quantity
    :ivar calendar: rules look at the date
    """

    bounds: list[datetime.datetime] = dataclasses.field(default_factory=list)
    levels: list[Decimal] = dataclasses.field(default_factory=list)
    calendar: bool = False

    def key(self, frame: FrameRow) -> tuple[object, ...]:
        """Return the same for all frames for which the same rules count, if labels are equal."""
        whole = frame.quantity if frame.shared is None else frame.shared.whole
        return (
            bisect.bisect_right(self.bounds, frame.begin),
            bisect.bisect_right(self.levels, whole),
            frame.begin.date() if self.calendar else None,
        )


def _cut(book: RuleBook) -> Mapping[str, _Section]:
    sections: dict[str, _Section] = {}
    for rule in book.rules:
        section = sections.setdefault(rule.target.metric, _Section())
        section.bounds += [end for end in (rule.terms.start, rule.terms.end) if end is not None]
        section.calendar |= rule.target.label in calendar_labels.NAMES
        if isinstance(rule, ThresholdRule) and rule.target.label is None:
            section.levels.append(rule.level)
    for section in sections.values():
        section.bounds.sort()
        section.levels.sort()
    return sections


def _describe(metric: str, explanation: Explanation) -> Sku:
    rules = _decisive_rules(explanation)
    modules = [
        module.module
        for module in explanation.modules
        if module.groups is None and module.price != module.before
    ]
    unit_price = _unit_price(explanation)
    is_explained = len(explanation.modules) == 1 and explanation.modules[0].groups is not None
    rounded_once = unit_price is not None and is_explained
    if not rules and not modules:
        word = _no_rules(metric, "none")
        return Sku(word, word, unit_price, (), rounded_once)
    lines = [_line_id(rule) for rule in rules]
    versions = [f"{_line_id(rule)}.{rule.id}" for rule in rules]
    return Sku(
        _AND.join([*lines, *modules]),
        _AND.join([*versions, *modules]),
        unit_price,
        [*map(_rule_text, rules), *modules],
        rounded_once,
    )


def _no_rules(metric: str, reason: str) -> str:
    return f"{metric}/{reason}"


def _decisive_rules(explanation: Explanation) -> list[Rule]:
    """Return the rules that count; of a usage that is free by a rule, that rule."""
    matches = [match for group in _groups(explanation) for match in group.matches]
    counts = [match.rule for match in matches if match.verdict is RuleVerdict.COUNTS]
    return counts or [match.rule for match in matches if match.verdict is RuleVerdict.NOTHING]


def _groups(explanation: Explanation) -> Iterator[GroupExplanation]:
    for module in explanation.modules:
        yield from module.groups or ()


def _unit_price(explanation: Explanation) -> Decimal | None:
    total = ZERO
    for module in explanation.modules:
        if module.groups is None and module.price != module.before:
            return None
    for group in _groups(explanation):
        unit_price = group.unit_price
        threshold = group.threshold
        if threshold is not None and threshold.target.label is None:
            if threshold.terms.type is CostType.FLAT:
                return None
            unit_price = EXACT.multiply(unit_price, threshold.terms.cost)
        total = EXACT.add(total, unit_price)
    is_short = total.copy_abs() < _LIMIT and round_price(total) == total
    return total if is_short else None


def _line_id(rule: Rule) -> str:
    assert rule.id is not None, "rules of a storage have ids"
    kind = IdKind.MAPPING if isinstance(rule, MappingRule) else IdKind.THRESHOLD
    return public_id.encode(kind, rule.id if rule.line is None else rule.line)


def _rule_text(rule: Rule) -> str:
    """Describe a rule without the times when it is valid, which change with the next one."""
    terms = dataclasses.replace(rule.terms, start=None, end=None)
    return describe(dataclasses.replace(rule, terms=terms))
