"""Delays after failures: they grow up to a limit, and are spread at random."""

import datetime

from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.schedule.backoff import MAX_AFTER, SPREAD, Backoff

SECOND = datetime.timedelta(seconds=1)
CHANCES = st.floats(0, 1, exclude_max=True)
BACKOFF = Backoff(30 * SECOND, 900 * SECOND)


def test_delays_double_up_to_the_longest() -> None:
    delays = [BACKOFF.delay(failures, 0.0) // SECOND for failures in range(7)]
    assert delays == [30, 60, 120, 240, 480, 900, 900]


@given(st.integers(0, 4), CHANCES, CHANCES)
def test_whatever_chance_says_the_next_delay_is_longer(
    failures: int, first: float, second: float
) -> None:
    assert BACKOFF.delay(failures, first) < BACKOFF.delay(failures + 1, second)


@given(st.integers(0, 10**6), CHANCES)
def test_no_delay_is_longer_than_the_longest_and_a_quarter(failures: int, chance: float) -> None:
    delay = BACKOFF.delay(failures, chance)
    assert 30 * SECOND <= delay <= 900 * SECOND * (1 + SPREAD)


@given(st.integers(0, 10), CHANCES, st.floats(0, 5000))
def test_a_delay_is_at_least_as_long_as_the_back_end_asked_for(
    failures: int, chance: float, after: float
) -> None:
    delay = BACKOFF.delay(failures, chance, after)
    seconds = min(after, MAX_AFTER)
    assert delay == max(BACKOFF.delay(failures, chance), datetime.timedelta(seconds=seconds))


@given(st.integers(0, 10**6), CHANCES, st.none() | st.floats(0, 1e12), st.integers(1, 86400))
def test_no_delay_is_longer_than_the_limit(
    failures: int, chance: float, after: float | None, longest: int
) -> None:
    backoff = Backoff(SECOND, longest * SECOND)
    assert backoff.delay(failures, chance, after) <= backoff.limit
