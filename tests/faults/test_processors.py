"""Any number of processors at once, and workers that die: each frame once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.databases import SERVERS, private_server
from tests.faults.conftest import FULL, LONG, SHORT, NewTrial, Truth
from tests.faults.ledger_content import Difference
from tests.faults.relay import Moment, Relay
from tests.faults.trial import SMALL_BATCHES, Processor, Trial, driven, waited_for
from tests.faults.wire import Doing

BACKENDS = SERVERS if FULL else SERVERS[:1]
TWO_WORKERS = {
    **SMALL_BATCHES,
    "orchestrator": {**SMALL_BATCHES["orchestrator"], "max_workers": 2},
}


@contextlib.contextmanager
def daemons(trial: Trial, count: int) -> Iterator[list[Processor]]:
    """Run daemons at once; each must end when it is told to."""
    running: list[Processor] = []
    try:
        for _ in range(count):
            running.append(trial.start())
        yield running
        for daemon in running:
            daemon.terminate()
        assert [daemon.ended() for daemon in running] == [0] * count
        for daemon in running:
            assert "Traceback" not in daemon.said()
    finally:
        for daemon in running:
            daemon.kill()


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_daemons_with_two_workers_each_rate_each_frame_once(
    backend: str, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(LONG, TWO_WORKERS, backend)
    with daemons(trial, 2):
        assert waited_for(trial.is_done)
    assert trial.difference(truth(LONG)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
def test_four_processors_that_rate_once_at_the_same_time_rate_each_frame_once(
    backend: str, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(SHORT, backend=backend)
    running = [trial.start("--once") for _ in range(4)]
    try:
        codes = [processor.ended() for processor in running]
    finally:
        for processor in running:
            processor.kill()
    assert codes == [0, 0, 0, 0]
    trial.until_done()
    assert trial.difference(truth(SHORT)) == Difference()


def test_workers_that_are_killed_are_replaced_and_each_frame_is_there_once(
    new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(LONG, TWO_WORKERS)
    with daemons(trial, 1) as (daemon,):
        for commits in (1, 3, 5):
            assert waited_for(lambda wanted=commits: len(trial.relay.committed_at) >= wanted)  # type: ignore[misc]
            assert waited_for(lambda: bool(daemon.workers()))
            daemon.workers()[0].kill()
        assert waited_for(trial.is_done)
    assert trial.difference(truth(LONG)) == Difference()


def test_when_the_first_process_is_killed_its_workers_end_and_nothing_is_lost(
    new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(LONG, TWO_WORKERS)
    daemon = trial.start()
    try:
        assert waited_for(lambda: len(trial.relay.committed_at) >= 2)
        workers = daemon.workers()
        assert workers
        daemon.kill_first()
        assert waited_for(lambda: not any(worker.is_running() for worker in workers))
    finally:
        daemon.kill()
    trial.until_done()
    assert trial.difference(truth(LONG)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_database_server_that_is_killed_and_started_again_loses_nothing(
    backend: str, new_trial: NewTrial, truth: Truth
) -> None:
    with private_server(backend) as server:
        trial = new_trial(LONG, SMALL_BATCHES, url=driven(server.url("ratekit")))

        def kill(_: Relay) -> None:
            server.kill()

        with daemons(trial, 1):
            for number, (doing, moment) in enumerate(
                [(Doing.BULK, Moment.MIDDLE), (Doing.COMMIT, Moment.UNANSWERED)]
            ):
                trial.relay.plan(doing, moment, first=2, act=kill)
                assert waited_for(lambda wanted=number: trial.relay.injected > wanted)  # type: ignore[misc]
                server.kill()
                server.start()
            assert waited_for(trial.is_done)
        assert trial.difference(truth(LONG)) == Difference()
