"""Reports of the frames whose labels have certain values, exactly as these were written."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow, Selection
from ratekit.interfaces import Storage
from tests.contract.given import (
    batch,
    build_series,
    count_groups,
    hour,
    list_scopes,
    statements,
    window,
)

UTC = datetime.UTC
#: Texts that a database may take for one another, or for something else than text.
VALUES: Sequence[str | None] = (
    None,
    "",
    " ",
    "null",
    "large",
    "Large",
    "LARGE",
    "large ",
    " large",
    "large\x00",
    "lärge",
    "la\u0308rge",  # the same on screen
    "läRge",
    "straße",
    "strasse",
    "İ",
    "i",
    "\U0001f40d",
    "\ud83d",  # half of a surrogate pair
    "\\",
    "\\\\",
    '"',
    '\\"',
    "'",
    "l_rge",
    "%",
    "\\u0000",
    '","flavor":"large',
    '{"flavor":"large"}',
    "a,b:c",
    "x" * 300,
)
#: Names that a label could have; only the first is usual.
NAMES = ("flavor", "Flavor", "flavor ", ",", ":", '"', "\\", 'a","b', "größe", "")

_Labels = Mapping[str, str | None]


def store(storage: Storage, usages: Sequence[tuple[str, _Labels, _Labels]]) -> None:
    """Store two hours of each usage, a scope with labels and metadata; no two prices are equal."""
    scopes = sorted({scope for scope, _, _ in usages})
    numbers = itertools.count(1)
    series = [
        build_series(
            scope,
            [("1", str(2 ** next(numbers))), ("1", str(2 ** next(numbers)))],
            labels={"id": str(number), **labels},
            metadata=metadata,
        )
        for number, (scope, labels, metadata) in enumerate(usages)
    ]
    storage.ledger.commit(batch(list_scopes(storage, *scopes), *series, periods=window(2)))


def store_values(storage: Storage, name: str = "flavor") -> None:
    """Store a usage with each of :data:`VALUES`, in either kind of label, and one without it."""
    usages: list[tuple[str, _Labels, _Labels]] = [("a", {}, {})]
    for number, value in enumerate(VALUES):
        label = {name: value}
        usages.append(("a", {}, label) if number % 2 else ("a", label, {}))
    store(storage, usages)


def select(**labels: frozenset[str | None]) -> Selection:
    """Return a selection by labels."""
    return Selection(scopes=ALL_SCOPES, labels=labels)


def fits(frame: FrameRow, labels: Mapping[str, frozenset[str | None]]) -> bool:
    """Return whether a frame has the labels of a selection."""
    values = {**frame.metadata, **frame.groupby}
    return all(values.get(name) in accepted for name, accepted in labels.items())


def sum_prices(storage: Storage, selection: Selection, *groupby: str) -> Decimal:
    """Return the sum over all groups."""
    rows = storage.reports.summary(selection, groupby, UTC)
    return sum((row.price for row in rows), Decimal(0))


def test_each_value_is_only_itself(storage: Storage) -> None:
    store_values(storage)
    frames = list(storage.reports.frames(Selection(scopes=ALL_SCOPES)))
    for value in VALUES:
        selection = select(flavor=frozenset({value}))
        expected = [frame for frame in frames if fits(frame, selection.labels)]
        assert len(expected) == (4 if value is None else 2)
        assert list(storage.reports.frames(selection)) == expected
        assert storage.reports.count_frames(selection) == len(expected)
        price = sum((frame.price for frame in expected), Decimal(0))
        for groupby in ((), ("scope", "day"), ("flavor",), ("metric", "id")):
            assert sum_prices(storage, selection, *groupby) == price
            groups = list(storage.reports.summary(selection, groupby, UTC))
            assert count_groups(storage.reports, selection, groupby, UTC) == len(groups)


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_only_itself(storage: Storage, name: str) -> None:
    usages: list[tuple[str, _Labels, _Labels]] = [
        ("a", {label: value}, {}) for label in NAMES for value in ("", "v", "null", None)
    ]
    store(storage, usages)
    frames = list(storage.reports.frames(Selection(scopes=ALL_SCOPES)))
    for accepted in ({""}, {"v"}, {"null"}, {None}, {None, "v"}, {":null"}):
        selection = select(**{name: frozenset(accepted)})
        expected = [frame for frame in frames if fits(frame, selection.labels)]
        assert list(storage.reports.frames(selection)) == expected


def test_a_label_that_no_frame_has_selects_nothing_but_null(storage: Storage) -> None:
    store_values(storage)
    everything = Selection(scopes=ALL_SCOPES)
    assert sum_prices(storage, select(color=frozenset({"red", ""}))) == 0
    assert storage.reports.count_frames(select(color=frozenset({"red"}))) == 0
    assert list(storage.reports.frames(select(color=frozenset({"red"})))) == []
    assert count_groups(storage.reports, select(color=frozenset({"red"})), ("metric",), UTC) == 0
    null = select(color=frozenset({None}))
    assert list(storage.reports.frames(null)) == list(storage.reports.frames(everything))
    assert sum_prices(storage, null, "scope") == sum_prices(storage, everything, "scope")


def test_no_accepted_value_selects_nothing(storage: Storage) -> None:
    store_values(storage)
    nothing = select(flavor=frozenset())
    assert list(storage.reports.frames(nothing)) == []
    assert storage.reports.count_frames(nothing) == 0
    assert list(storage.reports.summary(nothing, ("scope",), UTC)) == []


def test_more_values_than_sql_looks_for(storage: Storage) -> None:
    store_values(storage)
    others = frozenset(f"other {number}" for number in range(1000))
    selection = select(flavor=others | {"large ", "\\"})
    assert {
        frame.metadata.get("flavor") or frame.groupby.get("flavor")
        for frame in storage.reports.frames(selection)
    } == {"large ", "\\"}


def test_several_labels_must_all_fit(storage: Storage) -> None:
    labels = [{"flavor": flavor, "zone": zone} for flavor in "ab" for zone in ("x", "y", None)]
    store(storage, [("a", label, {}) for label in labels])
    selection = select(flavor=frozenset("a"), zone=frozenset({"y", None}))
    assert [
        (row.group["flavor"], row.group["zone"], row.points)
        for row in storage.reports.summary(selection, ("flavor", "zone"), UTC)
    ] == [("a", None, 2), ("a", "y", 2)]


def test_labels_select_within_scopes_metrics_and_times(storage: Storage) -> None:
    usages: list[tuple[str, _Labels, _Labels]] = [
        (scope, {"flavor": flavor}, {}) for scope in ("a", "b") for flavor in ("s", "m")
    ]
    store(storage, usages)
    selection = Selection(
        hour(1),
        scopes=frozenset({"b"}),
        metrics=("instance",),
        labels={"flavor": frozenset({"m"})},
    )
    (frame,) = storage.reports.frames(selection)
    assert (frame.scope, frame.begin, frame.groupby["flavor"]) == ("b", hour(1), "m")
    (row,) = storage.reports.summary(selection, ("scope", "metric", "day"), UTC)
    assert (row.points, row.price) == (1, frame.price)
    other = Selection(scopes=ALL_SCOPES, metrics=("volume",), labels=selection.labels)
    assert storage.reports.count_frames(other) == 0


@pytest.mark.parametrize("groupby", [("scope", "day"), ("flavor",), ("metric",), ()])
def test_the_parts_of_a_partition_add_up(storage: Storage, groupby: tuple[str, ...]) -> None:
    """By any partition of the values, since each frame is in one part."""
    store_values(storage)
    whole = sum_prices(storage, Selection(scopes=ALL_SCOPES), *groupby)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(numbers=st.lists(st.integers(0, 3), min_size=len(VALUES), max_size=len(VALUES)))
    def check(numbers: list[int]) -> None:
        parts = [
            frozenset(value for value, number in zip(VALUES, numbers, strict=True) if number == n)
            for n in range(4)
        ]
        sums = [sum_prices(storage, select(flavor=part), *groupby) for part in parts]
        assert sum(sums) == whole

    check()


def test_a_filter_reads_frames_in_sql_groups(storage: Storage) -> None:
    store_values(storage)
    with statements() as seen:
        rows = list(storage.reports.summary(select(flavor=frozenset({"large"})), ("day",), UTC))
    assert len(rows) == 1
    assert [row.quantity for row in rows] == [2]
    assert any("GROUP BY" in text and "frames" in text for text in seen)


def test_a_value_is_no_pattern_and_no_statement(storage: Storage) -> None:
    store_values(storage)
    for value in ("%", "_", "' OR 1=1 --", '" OR "1"="1', "l%", "\\%", ":name", "%(x)s", "%s"):
        count = storage.reports.count_frames(select(flavor=frozenset({value})))
        assert count == (2 if value in VALUES else 0)
