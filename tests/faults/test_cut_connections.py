"""A database connection that breaks at a commit neither loses nor duplicates a charge."""

from __future__ import annotations

import pytest

from tests.databases import SERVERS
from tests.faults.conftest import FULL, SHORT, ExpectedContent, NewTrial
from tests.faults.ledger_content import Difference
from tests.faults.relay import Moment
from tests.faults.trial import wait_until
from tests.faults.wire import MessageKind

BACKENDS = SERVERS if FULL else SERVERS[:1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("kind", "moment"),
    [
        (MessageKind.BULK, Moment.MIDDLE),
        (MessageKind.COMMIT, Moment.BEFORE),
        (MessageKind.COMMIT, Moment.UNANSWERED),
        (MessageKind.COMMIT, Moment.ANSWERED),
    ],
)
def test_a_connection_that_is_cut_at_a_commit_charges_once(
    kind: MessageKind,
    moment: Moment,
    backend: str,
    new_trial: NewTrial,
    expected_content: ExpectedContent,
) -> None:
    trial = new_trial(backend=backend)
    trial.relay.plan(kind, moment, first=2, times=2)
    trial.rate_until_done()
    assert trial.relay.injections == 2
    assert trial.difference(expected_content(SHORT)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.UNANSWERED])
def test_a_processor_that_is_killed_while_its_commit_stalls_charges_once(
    moment: Moment, backend: str, new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(backend=backend)
    trial.relay.plan(MessageKind.COMMIT, moment, first=2, stall=True)
    processor = trial.start("--once")
    try:
        assert wait_until(lambda: trial.relay.injections == 1)
        assert processor.wait(2) is None
    finally:
        processor.kill()
    trial.rate_until_done()
    assert trial.difference(expected_content(SHORT)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
def test_after_a_database_has_refused_connections_for_a_while_nothing_is_lost(
    backend: str, new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(backend=backend)
    trial.relay.plan(
        MessageKind.COMMIT, Moment.ANSWERED, first=2, action=lambda relay: relay.listener.refuse()
    )
    assert trial.once() == 1
    # While it lasts, no other fault happens.
    assert trial.once() != 0
    assert trial.relay.injections == 1
    trial.clear_faults()
    trial.rate_until_done()
    assert trial.difference(expected_content(SHORT)) == Difference()
