"""How long what failed rests: ever longer, never for ever, never all at the same moment."""

import datetime

from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.schedule.backoff import SPREAD, Backoff

SECOND = datetime.timedelta(seconds=1)
CHANCES = st.floats(0, 1, exclude_max=True)
BACKOFF = Backoff(30 * SECOND, 900 * SECOND)


def test_rests_double_up_to_the_longest() -> None:
    rests = [BACKOFF.rest(failures, 0.0) // SECOND for failures in range(7)]
    assert rests == [30, 60, 120, 240, 480, 900, 900]


@given(st.integers(0, 4), CHANCES, CHANCES)
def test_whatever_chance_says_the_next_rest_is_longer(
    failures: int, first: float, second: float
) -> None:
    assert BACKOFF.rest(failures, first) < BACKOFF.rest(failures + 1, second)


@given(st.integers(0, 10**6), CHANCES)
def test_no_rest_is_longer_than_the_longest_and_a_quarter(failures: int, chance: float) -> None:
    rest = BACKOFF.rest(failures, chance)
    assert 30 * SECOND <= rest <= 900 * SECOND * (1 + SPREAD)


@given(st.integers(0, 10), CHANCES, st.floats(0, 5000))
def test_a_rest_is_at_least_as_long_as_was_asked(
    failures: int, chance: float, after: float
) -> None:
    rest = BACKOFF.rest(failures, chance, after)
    assert rest == max(BACKOFF.rest(failures, chance), datetime.timedelta(seconds=after))
