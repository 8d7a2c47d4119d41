"""Batches cover all that is due, each scope and period exactly once."""

import collections
import dataclasses
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.period import Window
from ratekit.domain.schedule.batch import GROWTH, Batch, BatchSize, DueScope, next_batch
from ratekit.domain.schedule.density import Density
from ratekit.domain.scope import Scope, State
from tests.builders import HOUR, MONTH

#: (periods rated already, periods due in all) of each scope
Due = Sequence[tuple[int, int]]


def sized(limit: int) -> BatchSize:
    """Return a size that is limited by scopes times periods only."""
    return BatchSize(30.0, 10**9, limit)


def due_scopes(due: Due) -> list[DueScope]:
    return [
        DueScope(
            State(number, Scope(f"p{number:03d}"), MONTH + rated * HOUR, MONTH),
            MONTH + until * HOUR,
        )
        for number, (rated, until) in enumerate(due)
    ]


def rate_all(scopes: list[DueScope], limit: Callable[[int], int]) -> list[Batch]:
    """Take batches until none is left, advancing states as the orchestrator does."""
    remaining = {scope.state.scope_pk: scope for scope in scopes}
    batches: list[Batch] = []
    while True:
        batch = next_batch(list(remaining.values()), HOUR, sized(limit(len(batches))))
        if batch is None:
            return batches
        batches.append(batch)
        for state in batch.states:
            scope = remaining[state.scope_pk]
            assert scope.state.rated_until == batch.window.begin
            advanced = dataclasses.replace(scope.state, rated_until=batch.window.end)
            remaining[state.scope_pk] = DueScope(advanced, scope.until)


@given(
    st.lists(st.tuples(st.integers(-3, 6), st.integers(-3, 8)), max_size=12),
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
)
def test_all_that_is_due_is_rated_exactly_once_whatever_the_limits(
    due: list[tuple[int, int]], limits: list[int]
) -> None:
    batches = rate_all(due_scopes(due), lambda nth: limits[nth % len(limits)])
    rated = collections.Counter(
        (state.scope_pk, begin)
        for batch in batches
        for state in batch.states
        for begin in batch.window.begins()
    )
    expected = {
        (number, MONTH + hour * HOUR)
        for number, (rated_until, until) in enumerate(due)
        for hour in range(rated_until, until)
    }
    assert set(rated) == expected
    assert set(rated.values()) <= {1}
    assert all(batch.size <= limits[nth % len(limits)] for nth, batch in enumerate(batches)), (
        "a batch is larger than its limit"
    )


def test_nothing_due_is_no_batch() -> None:
    assert next_batch([], HOUR, sized(10)) is None
    assert next_batch(due_scopes([(3, 3), (5, 4)]), HOUR, sized(10)) is None


def test_the_scopes_that_lag_most_come_first() -> None:
    batch = next_batch(due_scopes([(5, 9), (2, 9), (7, 9), (2, 9)]), HOUR, sized(100))
    assert batch is not None
    assert [state.scope.id for state in batch.states] == ["p001", "p003"]
    assert batch.window == Window(MONTH + 2 * HOUR, HOUR, 7)


def test_scopes_that_failed_before_come_last_and_by_themselves() -> None:
    scopes = due_scopes([(0, 9), (5, 9), (0, 9), (5, 9)])
    for number, failures in ((0, 2), (2, 1)):
        state = dataclasses.replace(scopes[number].state, failures=failures)
        scopes[number] = dataclasses.replace(scopes[number], state=state)
    batches = rate_all(scopes, lambda _: 100)
    assert [[state.scope_pk for state in batch.states] for batch in batches] == [[1, 3], [2], [0]]


def test_long_windows_go_before_many_scopes() -> None:
    batch = next_batch(due_scopes([(0, 6)] * 10), HOUR, sized(20))
    assert batch is not None
    assert (batch.window.count, len(batch.states)) == (6, 3)


def test_a_scope_that_is_due_no_further_is_not_dragged_along() -> None:
    batch = next_batch(due_scopes([(0, 6), (0, 2)]), HOUR, sized(100))
    assert batch is not None
    assert [state.scope.id for state in batch.states] == ["p001"]
    assert batch.window.count == 2


def test_the_order_of_the_scopes_changes_nothing() -> None:
    scopes = due_scopes([(0, 6)] * 10)
    assert next_batch(scopes, HOUR, sized(20)) == next_batch(scopes[::-1], HOUR, sized(20))


@pytest.mark.parametrize(
    ("scopes", "periods", "limit_of_batches"), [(8, 48, 6), (40, 7, 5), (1, 720, 5), (1000, 1, 5)]
)
def test_catching_up_takes_few_batches(scopes: int, periods: int, limit_of_batches: int) -> None:
    """With answers that are quick and small the batches grow fast."""
    sizes = [BatchSize(seconds=30.0, weight=1_000_000)]
    remaining = due_scopes([(0, periods)] * scopes)
    batches = 0
    while (batch := next_batch(remaining, HOUR, sizes[batches])) is not None:
        batches += 1
        sizes.append(sizes[-1].after(batch.size, 1.0, Density(1, 1), share=0.01))
        rated = {state.scope_pk for state in batch.states}
        remaining = [
            DueScope(dataclasses.replace(scope.state, rated_until=batch.window.end), scope.until)
            if scope.state.scope_pk in rated
            else scope
            for scope in remaining
        ]
    assert batches <= limit_of_batches


def test_the_first_batch_is_one_scope_and_period() -> None:
    batch = next_batch(due_scopes([(0, 48)] * 8), HOUR, BatchSize(30.0, 100_000))
    assert batch is not None
    assert batch.size == 1


DENSITIES = st.builds(Density, st.floats(0, 10**6), st.floats(0, 10**6))


@given(
    st.floats(0.5, 60), st.integers(1, 10**5), st.integers(1, 10**5), st.floats(0, 1000),
    st.floats(0, 100),
)  # fmt: skip
def test_the_next_batch_would_have_stayed_within_its_time_and_response(
    seconds: float, limit: int, size: int, took: float, share: float
) -> None:
    size = min(size, limit)
    after = BatchSize(seconds, 10**9, limit).after(size, took, Density(), share).limit
    assert 1 <= after <= max(limit, size * GROWTH)
    if took > seconds or share > 1:
        # Usage that grows in proportion would fit, if a single scope and period does.
        assert after == 1 or (took * after <= seconds * size * 1.001 and
                              share * after <= size * 1.001)  # fmt: skip
    else:
        assert after >= limit


@given(
    st.integers(1, 10**6), st.lists(DENSITIES, max_size=3), st.integers(1, 100), st.integers(1, 100)
)
def test_no_batch_weighs_more_than_it_may_if_all_scopes_are_as_busy_as_the_busiest(
    weight: int, densities: list[Density], scopes: int, periods: int
) -> None:
    size = BatchSize(30.0, weight, limit=10**6)
    for density in densities:
        size = size.after(1, 30.0, density, share=1.0)
    batch = next_batch(due_scopes([(0, periods)] * scopes), HOUR, size)
    assert batch is not None
    for density in densities:
        total = len(batch.states) * density.weight(batch.window.count)
        assert batch.size == 1 or total <= weight * 1.001


def test_quiet_scopes_do_not_make_batches_too_large_for_busy_ones() -> None:
    size = BatchSize(seconds=20.0, weight=1000, limit=96).after(50, 0.1, Density(0, 10), 0)
    for _ in range(20):
        size = size.after(size.limit, 0.1, Density(), 0)
    batch = next_batch(due_scopes([(0, 1)] * 500), HOUR, size)
    assert batch is not None
    assert batch.size == 100


def test_long_windows_hold_more_points_than_single_periods() -> None:
    """A series takes memory besides that of its points."""
    size = BatchSize(30.0, 3200, limit=10**6).after(1, 1.0, Density(10, 10), 0)
    batches = [next_batch(due_scopes([(0, periods)] * 500), HOUR, size) for periods in (1, 24)]
    assert [batch and batch.size for batch in batches] == [35, 10 * 24]


def test_a_large_scope_is_alone_and_not_limited() -> None:
    size = BatchSize(30.0, 100, limit=1)
    batch = next_batch(due_scopes([(0, 30)] * 3), HOUR, size, {"p000": 24})
    assert batch is not None
    assert [state.scope.id for state in batch.states] == ["p000"]
    assert batch.window.count == 24


def test_a_large_scope_does_not_join_the_batch_of_others() -> None:
    size = BatchSize(30.0, 100, limit=100)
    batch = next_batch(due_scopes([(0, 2)] * 3), HOUR, size, {"p001": 24})
    assert batch is not None
    assert [state.scope.id for state in batch.states] == ["p000", "p002"]


def test_a_small_batch_that_went_well_does_not_shrink_the_limit() -> None:
    assert BatchSize(10.0, 1000, limit=500).after(3, 0.1, Density(1, 1), 0).limit == 500


def test_a_batch_that_took_twice_too_long_is_halved() -> None:
    assert BatchSize(10.0, 10**6, limit=400).after(400, 20.0, Density(1, 1), 0).limit == 200


def test_a_batch_whose_response_was_twice_too_large_is_halved() -> None:
    assert BatchSize(10.0, 10**6, limit=400).after(400, 0.1, Density(1, 1), 2.0).limit == 200


def test_growth_is_bounded_however_quick_the_answer() -> None:
    size = BatchSize(10.0, 10**9, limit=100).after(100, 0.0, Density(), 0)
    assert size.limit == 100 * GROWTH


@pytest.mark.parametrize(
    ("limit", "size", "expected"),
    [(400, 400, 200), (1000, 40, 20), (20, 40, 10), (9, 3, 1), (1, 1, 1)],
)
def test_after_a_failure_at_most_half_of_what_was_tried_is_tried(
    limit: int, size: int, expected: int
) -> None:
    assert BatchSize(10.0, 1000, limit).after_failure(size).limit == expected


def test_two_halves_of_a_batch_are_the_batch() -> None:
    states = [scope.state for scope in due_scopes([(0, 1)] * 5)]
    first, second = Batch(Window(MONTH, HOUR, 2), states).halves()
    assert [*first.states, *second.states] == states
    assert first.states
    assert second.states
    assert first.window == second.window == Window(MONTH, HOUR, 2)


def test_a_batch_of_one_scope_names_it() -> None:
    window = Window(MONTH, HOUR, 2)
    named = State(1, Scope("p1", "alice"), MONTH, MONTH)
    nameless = State(1, Scope("p1"), MONTH, MONTH)
    assert str(Batch(window, [named])) == (
        "scope p1 (alice) over 2026-01-01T00:00Z/2026-01-01T02:00Z"
    )
    assert str(Batch(window, [nameless])).startswith("scope p1 over")
    assert str(Batch(window, [named, nameless])).startswith("2 scopes over")
