"""A database connection that breaks at the worst moment neither loses nor doubles a cent."""

from __future__ import annotations

import pytest

from tests.databases import SERVERS
from tests.faults.conftest import FULL, SHORT, NewTrial, Truth
from tests.faults.ledger_content import Difference
from tests.faults.relay import Moment
from tests.faults.trial import waited_for
from tests.faults.wire import Doing

BACKENDS = SERVERS if FULL else SERVERS[:1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("doing", "moment"),
    [
        (Doing.BULK, Moment.MIDDLE),
        (Doing.COMMIT, Moment.BEFORE),
        (Doing.COMMIT, Moment.UNANSWERED),
        (Doing.COMMIT, Moment.ANSWERED),
    ],
)
def test_a_connection_that_is_cut_at_a_commit_charges_once(
    doing: Doing, moment: Moment, backend: str, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(backend=backend)
    trial.relay.plan(doing, moment, first=2, times=2)
    trial.until_done()
    assert trial.relay.injected == 2
    assert trial.difference(truth(SHORT)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.UNANSWERED])
def test_a_processor_that_is_killed_while_its_commit_stalls_charges_once(
    moment: Moment, backend: str, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(backend=backend)
    trial.relay.plan(Doing.COMMIT, moment, first=2, stall=True)
    stuck = trial.start("--once")
    try:
        assert waited_for(lambda: trial.relay.injected == 1)
        assert stuck.ended(2) is None
    finally:
        stuck.kill()
    trial.until_done()
    assert trial.difference(truth(SHORT)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_database_that_refuses_connections_for_a_while_is_waited_for(
    backend: str, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(backend=backend)
    trial.relay.plan(Doing.COMMIT, Moment.ANSWERED, first=2, act=lambda relay: relay.door.shut())
    assert trial.once() == 1
    # And as long as it goes on, nothing but that happens.
    assert trial.once() != 0
    assert trial.relay.injected == 1
    trial.heal()
    trial.until_done()
    assert trial.difference(truth(SHORT)) == Difference()
