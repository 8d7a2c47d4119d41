"""What a described usage would cost; nobody need have used it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit import errors
from ratekit.admin import scope as scope_admin
from ratekit.domain import exact
from ratekit.domain.period import Period
from ratekit.domain.reporting.reports import StateRow
from ratekit.domain.rules.explanation import Explanation
from ratekit.domain.rules.rule import Rule, RuleBook, ThresholdRule
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.series import Series
from ratekit.pricing.price_list import PriceList

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
MONTH = datetime.timedelta(days=30)

#: Whom general rules alone are for: no scope has an empty id.
NOBODY = ""

_MICROSECOND = datetime.timedelta(microseconds=1)

Names = Collection[str]
#: Public names of metrics, with the labels of each.
Labels = Mapping[str, Names]


@dataclasses.dataclass(frozen=True, slots=True)
class Quote:
    """What a usage costs in one period.

    :ivar period: whose rules and calendar count
    :ivar series: the usage, one point
    :ivar explanation: its price and how that comes about
    """

    period: Period
    series: Series
    explanation: Explanation

    def over(self, length: datetime.timedelta) -> Decimal:
        """Return what the same usage costs period after period, for ``length``.

        Exact where the digits end, else rounded half-even to 28 places.
        """
        step = self.period.end - self.period.begin
        share = Fraction(length // _MICROSECOND, step // _MICROSECOND)
        ratio = Fraction(self.explanation.price) * share
        ended = exact.ended(ratio)
        if ended is not None:
            return ended
        return exact.round_ratio(ratio.numerator, ratio.denominator, exact.PRICE_PLACES)


def quote(
    price_list: PriceList,
    period: Period,
    service: str,
    quantity: Decimal,
    labels: Mapping[str, str],
    scope: str = NOBODY,
) -> Quote:
    """Return what a usage costs in a period, by the rules in force at its begin.

    :param quantity: finite, at most 18 places
    :param labels: all that rules may look at, the scope's own label among them
    :param scope: id of the scope that uses it; its own rules count
    """
    series = Series(scope, service, "", labels, {}, [(period.begin, quantity)])
    return Quote(period, series, price_list.explain(series))


def period_of(calendar: Calendar, instant: datetime.datetime) -> Period:
    """Return the period that ``instant`` is in.

    :raises ratekit.errors.OperatorError: time does not reach as far
    """
    try:
        begin = calendar.floor(instant)
        return Period(begin, begin + calendar.step)
    except OverflowError:
        raise errors.OperatorError(f"no period can be at {instant.isoformat()}") from None


def require_service(service: str, book: RuleBook, known: Names) -> None:
    """Refuse a service that no metric is called and no rule is for.

    :param known: public names of metrics
    :raises ratekit.errors.OperatorError: nothing could ever be charged for it
    """
    names = {*known, *(rule.target.metric for rule in book.rules)}
    if service not in names:
        hint = errors.nearest(service, names) or f"; there are: {', '.join(sorted(names))}"
        raise errors.OperatorError(
            f"no metric is called {service!r}, and no rule is for such a service{hint}"
        )


def scope_id(word: str, book: RuleBook, rows: Sequence[StateRow]) -> str:
    """Return the id of a scope that is given by id or name.

    It need not be known yet if there are rules for its id.

    :raises ratekit.errors.OperatorError: there is none, or there are several of this name
    """
    known = any(word in (row.id, row.name) for row in rows)
    if not known and any(rule.terms.scope == word for rule in book.rules):
        return word
    return scope_admin.find(rows, word).id


def hints(
    quoted: Quote, labels: Mapping[str, str], book: RuleBook, known: Labels, calendar: Names
) -> Iterator[str]:
    """Yield what is odd about a service and the labels that a usage was described by.

    :param labels: those that were given
    :param known: metrics and their labels, as far as they are known
    :param calendar: names of fields that come from the period
    """
    service = quoted.series.metric
    if known and service not in known:
        yield f"no metric of metrics.yml is called {service!r}{errors.nearest(service, known)}"
    rules = list(_concerned(quoted, book))
    looked_at = {rule.target.label for rule in rules if rule.target.label is not None}
    own = {*known.get(service, ()), *looked_at}
    for name, value in labels.items():
        if name in calendar:
            yield f"{name} comes from the period: the label is not looked at"
        elif name not in own and service in known:
            yield f"{service} has no label {name!r}{errors.nearest(name, own)}"
        elif name not in looked_at:
            yield f"no rule of {service} looks at {name!r}{errors.nearest(name, looked_at)}"
        else:
            yield from _unknown(name, value, rules)
    missing = sorted(looked_at - quoted.series.groupby.keys() - set(calendar))
    if missing:
        yield f"rules of {service} also look at labels that were not given: {', '.join(missing)}"


def _concerned(quoted: Quote, book: RuleBook) -> Iterator[Rule]:
    """Yield the rules that are in force for a usage, whatever its labels are."""
    for rule in book.rules:
        terms = rule.terms
        concerned = rule.target.metric == quoted.series.metric
        concerned &= terms.scope in (None, quoted.series.scope)
        if concerned and terms.in_force(quoted.period.begin):
            yield rule


def _unknown(name: str, value: str, rules: Sequence[Rule]) -> Iterator[str]:
    """Say so where all rules that look at a label look for other values of it."""
    own = [rule for rule in rules if rule.target.label == name]
    values = {
        rule.value for rule in own if not isinstance(rule, ThresholdRule) and rule.value is not None
    }
    if value not in values and not any(isinstance(rule, ThresholdRule) for rule in own):
        yield f"no rule looks for {name}={value}{errors.nearest(value, values)}"
