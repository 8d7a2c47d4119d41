"""Calculate the price of a described usage, which need not exist."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit import errors
from ratekit.admin import scope as scope_admin
from ratekit.domain import exact
from ratekit.domain.period import Period
from ratekit.domain.reporting.reports import StateRow
from ratekit.domain.rules import calendar_labels
from ratekit.domain.rules.explanation import Explanation
from ratekit.domain.rules.rule import Rule, RuleBook, ThresholdRule
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.series import Series, Shared
from ratekit.pricing.price_list import PriceList
from ratekit.text import utc_text

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
MONTH = datetime.timedelta(days=30)

#: The ID of no scope: a usage that only general rules apply to.
NO_SCOPE = ""

# Denominators of ratios of times in a period, and more.
_RATIO = re.compile(r"[0-9]{1,18}/0*[1-9][0-9]{0,17}\Z")
#: Digits before the decimal point that a stored quantity can have.
_WHOLE_DIGITS = 47
_ALL = Fraction(1)
_MICROSECOND = datetime.timedelta(microseconds=1)

#: Public names of metrics, with the label names of each.
LabelNames = Mapping[str, Collection[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Quote:
    """The price of a usage in one period.

    :ivar period: the period, which selects rules and calendar labels
    :ivar series: the usage, one point
    :ivar explanation: the price and its calculation
    """

    period: Period
    series: Series
    explanation: Explanation

    def over(self, length: datetime.timedelta) -> Decimal:
        """Return the price of the same usage in every period of ``length``.

        Exact if the digits end, else rounded half-even to 28 places.
        """
        step = self.period.end - self.period.begin
        periods = Fraction(length // _MICROSECOND, step // _MICROSECOND)
        ratio = Fraction(self.explanation.price) * periods
        ended = exact.terminating_decimal(ratio)
        return _round(ratio, exact.PRICE_PLACES) if ended is None else ended


def quote(
    price_list: PriceList,
    period: Period,
    metric: str,
    quantity: Decimal,
    labels: Mapping[str, str | None],
    scope: str = NO_SCOPE,
    share: Fraction = _ALL,
) -> Quote:
    """Return the price of a usage in a period, by the rules in force at its start.

    :param quantity: what is used in the whole period, finite, at most 18 places
    :param labels: all labels that rules may look at, including the scope's own
    :param scope: ID of the scope, whose own rules apply
    :param share: the part of ``quantity`` that is charged under these labels, above 0 to 1
    """
    begin, charged, shared = period.begin, quantity, {}
    if share != _ALL:
        charged = _round(Fraction(quantity) * share, exact.QUANTITY_PLACES)
        shared = {begin: Shared(quantity, _round(share, exact.SHARE_PLACES))}
    series = Series(scope, metric, "", labels, {}, [(begin, charged)], shared)
    return Quote(period, series, price_list.explain(series))


def read_quantity(name: str, text: str) -> Decimal:
    """Return a quantity exactly as the database would store it.

    :param name: of the option or argument, for the message
    :raises ratekit.errors.OperatorError: it is not a decimal number of at least 0, or has too
        many digits
    """
    if exact.NUMBER.match(text) and not text.startswith("-"):
        quantity = Decimal(text).normalize(exact.EXACT)
        _, digits, exponent = quantity.as_tuple()
        assert isinstance(exponent, int), "a number is finite"
        if -exponent <= exact.QUANTITY_PLACES and len(digits) + exponent <= _WHOLE_DIGITS:
            return quantity
    raise errors.OperatorError(
        f"{name}: expected a decimal number of at least 0, with at most {_WHOLE_DIGITS} digits "
        f"before and {exact.QUANTITY_PLACES} after the decimal point, not {text!r}"
    )


def read_share(name: str, text: str) -> Fraction:
    """Return a share exactly.

    :param name: of the option or argument, for the message
    :raises ratekit.errors.OperatorError: it is no fraction above 0 and at most 1
    """
    if exact.NUMBER.match(text) or _RATIO.match(text):
        share = Fraction(text)
        if 0 < share <= 1:
            return share
    raise errors.OperatorError(
        f"{name}: expected a fraction above 0 and at most 1, such as 1/3 or 0.25, not {text!r}"
    )


def _round(ratio: Fraction, places: int) -> Decimal:
    return exact.round_ratio(ratio.numerator, ratio.denominator, places)


def period_of(calendar: Calendar, instant: datetime.datetime) -> Period:
    """Return the period that ``instant`` is in.

    :raises ratekit.errors.OperatorError: the period is not representable
    """
    try:
        begin = calendar.floor(instant)
        return Period(begin, begin + calendar.step)
    except OverflowError:
        raise errors.OperatorError(
            f"{utc_text(instant)} is too far in the past or future"
        ) from None


def require_metric(metric: str, book: RuleBook, metrics: Collection[str]) -> None:
    """Refuse a metric that neither metrics.yml nor any rule has.

    :param metrics: public names in metrics.yml
    :raises ratekit.errors.OperatorError: nothing could ever be charged for it
    """
    names = {*metrics, *(rule.target.metric for rule in book.rules)}
    if metric not in names:
        hint = errors.suggestion(metric, names) or f"; known metrics: {', '.join(sorted(names))}"
        raise errors.OperatorError(f"neither metrics.yml nor any rule has {metric!r}{hint}")


def add_scope_label(
    labels: Mapping[str, str | None], scope_key: str, scope: str
) -> Mapping[str, str | None]:
    """Return the labels of a usage of a scope, with the scope's own.

    :param scope: its ID; :data:`NO_SCOPE` has no label
    :raises ratekit.errors.OperatorError: the labels are those of another scope
    """
    if scope == NO_SCOPE:
        return labels
    if labels.get(scope_key, scope) != scope:
        raise errors.OperatorError(
            f"{scope_key}: expected {scope}, the scope that is quoted for, not {labels[scope_key]}"
        )
    return {scope_key: scope, **labels}


def scope_id(word: str, book: RuleBook, rows: Sequence[StateRow]) -> str:
    """Return the ID of the scope with this ID or name.

    The ID of a rule counts even if no such scope exists yet.

    :raises ratekit.errors.OperatorError: there is none, or several scopes have this name
    """
    exists = any(word in (row.id, row.name) for row in rows)
    if not exists and any(rule.terms.scope == word for rule in book.rules):
        return word
    return scope_admin.find(rows, word).id


def hints(
    usage_quote: Quote, labels: Mapping[str, str | None], book: RuleBook, label_names: LabelNames
) -> Iterator[str]:
    """Yield what may be wrong with the metric and the labels of a quote.

    :param labels: the labels that the operator gave
    :param label_names: metrics and their labels; empty: metrics.yml cannot be read
    """
    metric = usage_quote.series.metric
    if label_names and metric not in label_names:
        hint = errors.suggestion(metric, label_names)
        yield f"no metric of metrics.yml is called {metric!r}{hint}"
    rules = list(_applicable_rules(usage_quote, book))
    rule_labels = {rule.target.label for rule in rules if rule.target.label is not None}
    names = {*label_names.get(metric, ()), *rule_labels}
    for name, value in labels.items():
        if name in calendar_labels.NAMES:
            yield f"{name} is ignored: its value comes from the period"
        elif name not in names and metric in label_names:
            yield f"{metric} has no label {name!r}{errors.suggestion(name, names)}"
        elif name not in rule_labels:
            yield f"no rule of {metric} looks at {name!r}{errors.suggestion(name, rule_labels)}"
        else:
            yield from _value_hints(name, value, rules)
    missing = sorted(rule_labels - usage_quote.series.groupby.keys() - calendar_labels.NAMES)
    if missing:
        yield f"rules of {metric} also look at these labels: {', '.join(missing)}"


def _applicable_rules(usage_quote: Quote, book: RuleBook) -> Iterator[Rule]:
    """Yield the rules that apply to a usage, whatever its labels are."""
    for rule in book.rules:
        terms = rule.terms
        applicable = rule.target.metric == usage_quote.series.metric
        applicable &= terms.scope in (None, usage_quote.series.scope)
        if applicable and terms.in_force(usage_quote.period.begin):
            yield rule


def _value_hints(name: str, value: str | None, rules: Sequence[Rule]) -> Iterator[str]:
    """Yield a hint if all rules that look at a label look for other values."""
    label_rules = [rule for rule in rules if rule.target.label == name]
    if any(isinstance(rule, ThresholdRule) for rule in label_rules):
        return
    values = {rule.value for rule in label_rules if not isinstance(rule, ThresholdRule)}
    if value is None and None not in values:
        yield f"no rule looks for {name} that is null"
    elif value not in values:
        hint = errors.suggestion(value or "", [text for text in values if text is not None])
        yield f"no rule looks for {name}={value}{hint}"
