"""This month against the last one, and where it will end."""

from __future__ import annotations

import bisect
import dataclasses
import datetime
import itertools
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.admin.bill.bill import rated_until
from ratekit.domain.exact import EXACT, PRICE_PLACES, ZERO, round_ratio
from ratekit.domain.purge import PurgeMark
from ratekit.domain.reporting.buckets import bucket
from ratekit.domain.reporting.reports import AllScopes, Selection
from ratekit.interfaces import Reports

#: The rate at which a month goes on is that of its last week, so that what started or ended
#: earlier does not distort it; of less than a day nothing follows.
RATE_TIME = datetime.timedelta(days=7)
_MIN_RATE_TIME = datetime.timedelta(days=1)
#: Longer than any month, shorter than two.
_OVER_A_MONTH = datetime.timedelta(days=40)
_MICROSECOND = datetime.timedelta(microseconds=1)


@dataclasses.dataclass(frozen=True, slots=True)
class MonthComparison:
    """The costs of this month and of the last one, exactly.

    :ivar last_begin: start of the last month, UTC
    :ivar begin: start of this month, UTC
    :ivar end: end of this month, UTC
    :ivar until: point of this month until which all usage is rated, UTC; None: nothing of this
        month is
    :ivar so_far: all that is rated of this month
    :ivar to_point: what is rated of it until ``until``, to compare with ``last_to_point``
    :ivar last_total: all of the last month; None: it has no data, or was purged
    :ivar last_to_point: the last month until the same day and time; None likewise, or ``until`` is
    :ivar forecast: this month at the rate from ``rate_begin`` to ``until``; rounded to 28 places;
        None: that is less than a day
    :ivar rate_begin: seven days before ``until``, or the start of this month or of the first
        usage if that is later, UTC; None: there is no ``until``
    :ivar last_until: the same day and time as ``until`` in the last month, at most its end, UTC;
        None: there is no ``last_to_point``
    """

    last_begin: datetime.datetime
    begin: datetime.datetime
    end: datetime.datetime
    until: datetime.datetime | None
    so_far: Decimal
    to_point: Decimal
    last_total: Decimal | None
    last_to_point: Decimal | None
    forecast: Decimal | None
    rate_begin: datetime.datetime | None = None
    last_until: datetime.datetime | None = None


def read_month(
    reports: Reports,
    scopes: AllScopes | frozenset[str],
    zone: datetime.tzinfo,
    now: datetime.datetime,
    purged: PurgeMark,
) -> MonthComparison:
    """Return the costs of the month of ``zone`` that contains ``now``, beside those of the last.

    :param purged: what is no longer stored
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    begin = bucket(now, "month", zone)
    last_begin = bucket(begin - _MICROSECOND, "month", zone)
    end = bucket(begin + _OVER_A_MONTH, "month", zone)
    # Before the prices, so that these have all usage until then.
    until = rated_until(reports.scopes(scopes))
    if until is not None:
        until = min(until, now, end) if until > begin else None
    prices = _Prices(reports, Selection(last_begin, end, scopes=scopes))
    to_point = prices.between(begin, until) if until else ZERO
    has_last = prices.exist_between(last_begin, begin)
    if purged.totals_until is not None and purged.totals_until > last_begin:
        has_last = False
    last_point = None
    if has_last and until is not None:
        last_point = min(_same_point(begin, until, last_begin, zone), begin)
    rate_begin = max(begin, until - RATE_TIME, prices.begin or begin) if until else None
    return MonthComparison(
        last_begin,
        begin,
        end,
        until,
        prices.between(begin, end),
        to_point,
        prices.between(last_begin, begin) if has_last else None,
        prices.between(last_begin, last_point) if last_point else None,
        _forecast(prices, begin, rate_begin, until, end) if until and rate_begin else None,
        rate_begin,
        last_point,
    )


class _Prices:
    """The price of each period, from one snapshot."""

    def __init__(self, reports: Reports, selection: Selection) -> None:
        rows = sorted(
            (begin, row.price)
            for row in reports.summary(selection, ("period",), datetime.UTC)
            if isinstance(begin := row.group["period"], datetime.datetime)
        )
        self._begins = [begin for begin, _ in rows]
        sums = itertools.accumulate((price for _, price in rows), EXACT.add, initial=ZERO)
        self._sums: Sequence[Decimal] = list(sums)

    @property
    def begin(self) -> datetime.datetime | None:
        """When the first usage began; None: there is none."""
        return self._begins[0] if self._begins else None

    def between(self, begin: datetime.datetime, end: datetime.datetime) -> Decimal:
        """Return the exact price of the periods that begin in ``[begin, end)``."""
        first, last = (bisect.bisect_left(self._begins, instant) for instant in (begin, end))
        return EXACT.subtract(self._sums[last], self._sums[first])

    def exist_between(self, begin: datetime.datetime, end: datetime.datetime) -> bool:
        """Return whether a period with usage begins in ``[begin, end)``."""
        return bisect.bisect_left(self._begins, begin) < bisect.bisect_left(self._begins, end)


def _same_point(
    begin: datetime.datetime,
    until: datetime.datetime,
    last_begin: datetime.datetime,
    zone: datetime.tzinfo,
) -> datetime.datetime:
    """Return the instant of the last month with the day and time, by the clock, of ``until``.

    It may be after the end of a shorter month.
    """
    elapsed = until.astimezone(zone).replace(tzinfo=None) - begin.astimezone(zone).replace(
        tzinfo=None
    )
    return (last_begin.astimezone(zone) + elapsed).astimezone(datetime.UTC)


def _forecast(
    prices: _Prices,
    begin: datetime.datetime,
    since: datetime.datetime,
    until: datetime.datetime,
    end: datetime.datetime,
) -> Decimal | None:
    if until - since < _MIN_RATE_TIME:
        return None
    ratio = Fraction((end - until) // _MICROSECOND, (until - since) // _MICROSECOND)
    total = Fraction(prices.between(begin, until)) + Fraction(prices.between(since, until)) * ratio
    return round_ratio(total.numerator, total.denominator, PRICE_PLACES)
