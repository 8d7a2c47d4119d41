"""Stored usage is priced again in series of frames with the same labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import pytest

from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.series import Shared
from ratekit.pricing import stored_usage
from ratekit.pricing.price_list import PriceList
from tests.builders import HOUR, MONTH
from tests.fakes import FakeModule

#: Adds 1 to a price of 0.
PRICES = PriceList([FakeModule(1)], RuleBook(1, ()))


def frame(
    hour: int,
    quantity: str = "1",
    scope: str = "a",
    metric: str = "cpu",
    unit: str = "u",
    groupby: Mapping[str, str | None] | None = None,
    metadata: Mapping[str, str | None] | None = None,
) -> FrameRow:
    return FrameRow(
        begin=MONTH + hour * HOUR,
        scope=scope,
        metric=metric,
        unit=unit,
        quantity=Decimal(quantity),
        price=Decimal(9),
        groupby=groupby or {},
        metadata=metadata or {},
    )


def price(rows: Sequence[FrameRow]) -> list[Sequence[FrameRow]]:
    """Return the groups of rows, after a comparison of each with its series."""
    groups = []
    for group, rated in stored_usage.price_stored_usage(iter(rows), PRICES):
        points = [(row.begin, row.quantity) for row in group]
        assert list(rated.series.points) == points
        assert list(rated.prices) == [Decimal(1)] * len(group)
        for row in group:
            series = rated.series
            assert (series.scope, series.metric, series.unit) == (row.scope, row.metric, row.unit)
            assert (series.groupby, series.metadata) == (row.groupby, row.metadata)
        groups.append(group)
    return groups


def test_frames_with_the_same_labels_are_one_series_with_new_prices() -> None:
    rows = [frame(0, "2"), frame(1, "3"), frame(2, "0")]
    assert price(rows) == [rows]


def test_the_series_says_which_quantities_are_shares_and_of_what() -> None:
    shared = Shared(Decimal(3), Decimal("0.5"))
    rows = [frame(0), dataclasses.replace(frame(1), shared=shared), frame(2)]
    [(_, rated)] = stored_usage.price_stored_usage(rows, PRICES)
    assert rated.series.shared == {MONTH + HOUR: shared}


@pytest.mark.parametrize(
    "second",
    [
        frame(1, scope="b"),
        frame(1, metric="disk"),
        frame(1, unit="GiB"),
        frame(1, groupby={"id": "r1"}),
        frame(1, metadata={"id": "r1"}),
        frame(1, metadata={"id": None}),
    ],
    ids=["scope", "metric", "unit", "groupby", "metadata", "null"],
)
def test_frames_that_differ_are_in_different_series(second: FrameRow) -> None:
    first = frame(0)
    assert price([first, second]) == [[first], [second]]


def test_rows_are_read_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_usage, "CHUNK_SIZE", 2)
    count = 0

    def rows() -> Iterator[FrameRow]:
        nonlocal count
        for hour in range(5):
            count += 1
            yield frame(hour)

    groups = stored_usage.price_stored_usage(rows(), PRICES)
    assert [(len(group), count) for group, _ in groups] == [(2, 2), (2, 4), (1, 5)]


def test_without_frames_there_are_no_series() -> None:
    assert price([]) == []
