"""Whatever becomes of a scope, it is charged for the hours for which it should be, once each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.scope import Scope
from ratekit.interfaces import Observation, Storage
from tests.contract.given import HOUR, START, batch, build_series, hour, read_frames, window

CALENDAR = Calendar(HOUR, 2)


@dataclasses.dataclass(frozen=True)
class Turn:
    """One cycle of a processor.

    :ivar pause: hours since the last one
    :ivar listed: whether the fetcher lists the scope
    :ivar hours: how many hours are rated before something fails
    :ivar deactivated: whether an operator wants it so
    :ivar back: how many hours an operator resets the scope by, before
    """

    pause: float
    listed: bool
    hours: int = 100
    deactivated: bool = False
    back: int = 0


TURNS = st.lists(
    st.builds(
        Turn,
        pause=st.sampled_from([0.25, 0.6, 1.0, 1.0, 2.5, 7.25]),
        listed=st.booleans(),
        hours=st.sampled_from([0, 1, 3, 100]),
        deactivated=st.sampled_from([False, False, True]),
        back=st.sampled_from([0, 0, 0, 1, 5]),
    ),
    max_size=12,
)


def charged_hours(turns: Sequence[Turn]) -> list[int]:
    """Return the charged hours: from the start until the scope was last listed, without gaps.

    A gap is the time between two lists with the scope if a list without it came in between.
    """
    now, last, missing = 0.0, 0.0, False
    gap_hours: set[int] = set()
    for turn in turns:
        now += turn.pause
        if turn.listed:
            if missing:
                gap_hours |= set(range(int(last) + 1, int(now)))
            last = now
        missing = not turn.listed
    return [number for number in range(int(last) + 1) if number not in gap_hours]


class ScopeHistory:
    """A scope, a ledger and a clock."""

    def __init__(self, storage: Storage, name: str) -> None:
        self.storage = storage
        self.scope = Scope(name, name)
        self.now = 0.0

    def take(self, turn: Turn) -> Observation:
        """Do what an operator wants, then observe, then rate what is due."""
        self.now += turn.pause
        admin = self.storage.scopes
        if turn.deactivated:
            admin.deactivate(self.scope.id, hour(self.now))
        else:
            admin.activate(self.scope.id)
        if turn.back:
            plan = admin.plan_reset(self.scope.id, START)
            since = max(plan.rated_until - turn.back * HOUR, START)
            admin.reset(dataclasses.replace(plan, since=since))
        return self.rate(turn)

    def rate(self, turn: Turn) -> Observation:
        """Be a processor."""
        now = hour(self.now)
        scopes = [self.scope] if turn.listed else []
        observation = self.storage.ledger.observe(scopes, now, START, CALENDAR.floor(now))
        for state in observation.states:
            if state.scope != self.scope:
                continue
            due = (CALENDAR.due_scope(state, now).until - state.rated_until) // HOUR
            count = min(due, turn.hours)
            if count > 0:
                series = build_series(self.scope.id, [("1", "1")] * count, begin=state.rated_until)
                periods = window(count, state.rated_until)
                assert not self.storage.ledger.commit(
                    batch([state], series, periods=periods)
                ).lost_scopes
        return observation


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(turns=TURNS)
def test_each_hour_that_a_scope_is_rated_for_is_charged_once(
    storage: Storage, turns: list[Turn]
) -> None:
    history = ScopeHistory(storage, f"scope {len(storage.reports.scopes(ALL_SCOPES))}")
    history.rate(first := Turn(0.0, listed=True))
    for turn in turns:
        history.take(turn)
    # From now on nothing fails, and no list contains the scope.
    for _ in range(len(turns) + 3):
        history.take(Turn(3.0, listed=False))
    active = {row.id: row.active for row in storage.reports.scopes(ALL_SCOPES)}
    assert not active[history.scope.id]
    begins = [begin for scope, begin, _, _ in read_frames(storage) if scope == history.scope.id]
    assert [(begin - START) // HOUR for begin in begins] == charged_hours([first, *turns])
