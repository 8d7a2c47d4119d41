"""Price rules in the words of those who pay them: on pages and in bills."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

from ratekit.admin.price_sheet import PriceEntry
from ratekit.domain.rules.rule import CostType, Rule, ThresholdRule
from ratekit.text import duration_text, number_text

_PERIODS = {datetime.timedelta(hours=1): "hour", datetime.timedelta(days=1): "day"}


def period_noun(step: datetime.timedelta) -> str:
    """Return the length of a period as prices name it: ``hour``."""
    return _PERIODS.get(step, duration_text(step))


def remark(entry: PriceEntry) -> str:
    """Write for whom a price holds, or why it does not; empty: there is nothing to remark."""
    if entry.special:
        return "for this project alone"
    return "the project has its own price instead" if entry.replaced else ""


@dataclasses.dataclass(frozen=True, slots=True)
class PriceWords:
    """Writes conditions and prices of one metric, with all their digits.

    :ivar unit: of the metric; empty: not known
    :ivar period: how long a period is, such as ``hour``
    :ivar currency: empty: none
    """

    unit: str
    period: str
    currency: str

    def condition(self, rule: Rule, ceiling: Decimal | None = None) -> str:
        """Write which usage a rule is for.

        :param ceiling: of a threshold: the next one takes its place from there on
        """
        label = rule.target.label
        if isinstance(rule, ThresholdRule):
            unit = self.unit if label is None else ""
            text = f"{'quantity' if label is None else label} from {_measure(rule.level, unit)}"
            return text if ceiling is None else f"{text} to below {_measure(ceiling, unit)}"
        if label is None:
            return "all usage"
        return f"no {label}" if rule.value is None else f"{label} is {rule.value}"

    def price(self, rule: Rule) -> str:
        """Write what a rule charges."""
        cost = number_text(rule.terms.cost)
        if rule.terms.type is CostType.RATE:
            return f"the price times {cost}"
        money = f"{cost} {self.currency}" if self.currency else cost
        if not isinstance(rule, ThresholdRule):
            return f"{money} per {self.unit or 'unit'} and {self.period}"
        if rule.target.label is None:
            return f"plus {money} per {self.period}"
        return f"plus {money} per {self.unit or 'unit'} and {self.period}"


def _measure(number: Decimal, unit: str) -> str:
    whole, point, places = number_text(number).partition(".")
    text = f"{int(whole):,}{point}{places}"
    return f"{text} {unit}" if unit else text
