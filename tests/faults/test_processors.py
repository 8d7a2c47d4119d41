"""Several processors at once, and killed workers: each frame is rated once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.databases import SERVERS, private_server, process
from tests.faults.conftest import FULL, LONG, SHORT, ExpectedContent, NewTrial
from tests.faults.ledger_content import Difference
from tests.faults.relay import Moment, Relay
from tests.faults.trial import SMALL_BATCHES, Processor, Trial, wait_until, with_driver
from tests.faults.wire import MessageKind

BACKENDS = SERVERS if FULL else SERVERS[:1]
TWO_WORKERS = {
    **SMALL_BATCHES,
    "orchestrator": {**SMALL_BATCHES["orchestrator"], "max_workers": 2},
}


@contextlib.contextmanager
def daemons(trial: Trial, count: int) -> Iterator[list[Processor]]:
    """Run daemons at once; each must end after SIGTERM."""
    running: list[Processor] = []
    try:
        for _ in range(count):
            running.append(trial.start())
        yield running
        for daemon in running:
            daemon.terminate()
        assert [daemon.wait() for daemon in running] == [0] * count
        for daemon in running:
            assert "Traceback" not in daemon.log_text()
    finally:
        for daemon in running:
            daemon.kill()


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_daemons_with_two_workers_each_rate_each_frame_once(
    backend: str, new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(LONG, TWO_WORKERS, backend)
    with daemons(trial, 2):
        assert wait_until(trial.is_complete)
    assert trial.difference(expected_content(LONG)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
def test_four_processors_that_rate_once_at_the_same_time_rate_each_frame_once(
    backend: str, new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(SHORT, backend=backend)
    running = [trial.start("--once") for _ in range(4)]
    try:
        codes = [processor.wait() for processor in running]
    finally:
        for processor in running:
            processor.kill()
    assert codes == [0, 0, 0, 0]
    trial.rate_until_done()
    assert trial.difference(expected_content(SHORT)) == Difference()


def test_workers_that_are_killed_are_replaced_and_each_frame_is_there_once(
    new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(LONG, TWO_WORKERS)
    with daemons(trial, 1) as (daemon,):
        for commits in (1, 3, 5):
            assert wait_until(lambda wanted=commits: len(trial.relay.commit_times) >= wanted)  # type: ignore[misc]
            assert wait_until(lambda: bool(daemon.workers()))
            daemon.workers()[0].kill()
        assert wait_until(trial.is_complete)
    assert trial.difference(expected_content(LONG)) == Difference()


def test_when_the_first_process_is_killed_its_workers_end_and_nothing_is_lost(
    new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(LONG, TWO_WORKERS)
    daemon = trial.start()
    try:
        assert wait_until(lambda: len(trial.relay.commit_times) >= 2)
        workers = daemon.workers()
        assert workers
        daemon.kill_first()
        assert wait_until(lambda: all(map(process.has_ended, workers)))
    finally:
        daemon.kill()
    trial.rate_until_done()
    assert trial.difference(expected_content(LONG)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_database_server_that_is_killed_and_started_again_loses_nothing(
    backend: str, new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    with private_server(backend) as server:
        trial = new_trial(LONG, SMALL_BATCHES, url=with_driver(server.url("ratekit")))

        def kill(_: Relay) -> None:
            server.kill()

        with daemons(trial, 1):
            for number, (kind, moment) in enumerate(
                [(MessageKind.BULK, Moment.MIDDLE), (MessageKind.COMMIT, Moment.UNANSWERED)]
            ):
                trial.relay.plan(kind, moment, first=2, action=kill)
                assert wait_until(lambda wanted=number: trial.relay.injections > wanted)  # type: ignore[misc]
                server.kill()
                server.start()
            assert wait_until(trial.is_complete)
        assert trial.difference(expected_content(LONG)) == Difference()
