"""Values are checked and added up by column as one by one."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit import errors
from ratekit.domain.exact import EXACT
from ratekit.domain.series import RatedSeries, Series, Shared
from ratekit.storage.ledger import slices
from ratekit.storage.ledger.sums import Total, sum_up

BEGIN = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
PKS = {"a": 1, "b": 2}


def at(number: int) -> datetime.datetime:
    """Return the start of a period."""
    return BEGIN + number * datetime.timedelta(hours=1)


def build(
    scope: str, metric: str, unit: str, values: dict[int, tuple[Decimal, Decimal]]
) -> RatedSeries:
    """Return a series of (quantity, price) by number of period."""
    points = [(at(number), quantity) for number, (quantity, _) in values.items()]
    series = Series(scope, metric, unit, {"project_id": scope}, {}, points)
    return RatedSeries(series, [price for _, price in values.values()])


QUANTITIES = st.decimals(-(10**20), 10**20, places=18) | st.integers(0, 9).map(Decimal)
PRICES = st.decimals(-(10**9), 10**9, places=28) | st.decimals(0, 9, places=2)
SERIES = st.lists(
    st.builds(
        build,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["cpu", "ram"]),
        st.sampled_from(["h", "GiB"]),
        st.dictionaries(st.integers(0, 3), st.tuples(QUANTITIES, PRICES), min_size=1),
    ),
    max_size=12,
)


def one_by_one(all_rated: Iterable[RatedSeries]) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Return points, quantity and price by scope, begin, metric and unit."""
    totals: dict[tuple[object, ...], tuple[int, Decimal, Decimal]] = {}
    for rated in all_rated:
        series = rated.series
        for (begin, quantity), price in zip(series.points, rated.prices, strict=True):
            key = PKS[series.scope], begin, series.metric, series.unit
            points, quantities, prices = totals.get(key, (0, Decimal(0), Decimal(0)))
            totals[key] = (
                points + 1,
                EXACT.add(quantities, quantity),
                EXACT.add(prices, price),
            )
    return dict(totals)


def by_key(totals: list[Total]) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Return totals in the shape of :func:`one_by_one`."""
    assert len({total[:4] for total in totals}) == len(totals)
    return {total[:4]: total[4:] for total in totals}


@given(SERIES)
def test_sums_are_exact(rated_series: list[RatedSeries]) -> None:
    assert by_key(sum_up(rated_series, PKS)) == one_by_one(rated_series)


@given(SERIES)
def test_slices_make_no_difference(rated_series: list[RatedSeries]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "SLICE", 20)
        sliced = sum_up(iter(rated_series), PKS)
    assert by_key(sliced) == by_key(sum_up(rated_series, PKS))


ONE = Decimal(1)


@pytest.mark.parametrize(
    ("quantity", "price"),
    [
        (Decimal("1e-19"), ONE),
        (Decimal("1e47"), ONE),
        (ONE, Decimal("1e-29")),
        (ONE, Decimal("-1e37")),
        (Decimal("NaN"), ONE),
        (ONE, Decimal("sNaN")),
        (Decimal("Infinity"), ONE),
    ],
)
def test_one_bad_value_among_good_ones_is_refused(quantity: Decimal, price: Decimal) -> None:
    good = build("a", "cpu", "h", {0: (ONE, ONE)})
    bad = build("a", "cpu", "h", {0: (quantity, price)})
    with pytest.raises(errors.OperatorError, match="metric cpu: a quantity or price cannot"):
        sum_up([good, bad, good], PKS)


def test_values_that_cancel_each_other_out_do_not_hide_that_they_are_too_large() -> None:
    huge = Decimal(10**47).quantize(Decimal("1e-18"), context=EXACT)
    pair = [build("a", "cpu", "h", {0: (value, ONE)}) for value in (huge, -huge)]
    with pytest.raises(errors.OperatorError, match="a quantity or price cannot be stored"):
        sum_up(pair, PKS)


def test_a_sum_that_is_too_large_is_refused() -> None:
    largest = Decimal("9" * 47)
    with pytest.raises(errors.OperatorError, match="metric cpu: a sum cannot be stored"):
        sum_up([build("a", "cpu", "h", {0: (largest, ONE)})] * 2, PKS)


def test_a_share_that_does_not_fit_is_refused() -> None:
    shared = {at(0): Shared(ONE, Decimal("1e-19"))}
    series = Series("a", "cpu", "h", {}, {}, [(at(0), ONE)], shared)
    with pytest.raises(errors.OperatorError, match="metric cpu"):
        sum_up([RatedSeries(series, [ONE])], PKS)


def test_a_name_that_no_column_holds_is_refused() -> None:
    for metric, unit in (("x" * 256, "h"), ("cpu", "x" * 256)):
        with pytest.raises(errors.OperatorError, match="255"):
            sum_up([build("a", metric, unit, {0: (ONE, ONE)})], PKS)


def test_a_scope_without_a_row_is_an_error() -> None:
    with pytest.raises(KeyError):
        sum_up([build("c", "cpu", "h", {0: (ONE, ONE)})], PKS)
