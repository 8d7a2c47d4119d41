"""A project for which Gnocchi fails does not delay other projects."""

from __future__ import annotations

import datetime

import pytest

from tests.builders import MINUTE
from tests.faults.conftest import FULL, SHORT, ExpectedContent, NewTrial
from tests.faults.http_faults import GROUP_FAULTS, HTTP_FAULTS, NO_SCOPE
from tests.faults.http_proxy import Fault, Place
from tests.faults.ledger_content import Difference
from tests.faults.trial import SMALL_BATCHES, Trial

FAILING_PROJECT = "demo-02"
FAULTS = {
    "500": HTTP_FAULTS["500"],
    "duplicate groups": GROUP_FAULTS["duplicate groups"],
    "no scope": NO_SCOPE,
}
LONG_RETRY = {
    **SMALL_BATCHES,
    "orchestrator": {**SMALL_BATCHES["orchestrator"], "retry_seconds": 60},
}


def break_project(trial: Trial, fault: Fault) -> str:
    """Inject a fault into each query for one project's instances; return the project's id."""
    project = trial.site.cloud.project_ids[FAILING_PROJECT]
    trial.gnocchi.plan(
        Place("POST", "/v1/aggregates", (b'"cpu"', project.encode())), fault, times=None
    )
    return project


@pytest.mark.parametrize("name", FAULTS if FULL else ["500", "no scope"])
def test_all_other_projects_are_rated_completely(
    name: str, new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial()
    project = break_project(trial, FAULTS[name])
    assert trial.once() == 1
    actual, expected = trial.content(), expected_content(SHORT)
    for key, state in expected.states.items():
        if key[1] == project:
            assert actual.states[key].rated_until < state.rated_until
            assert actual.states[key].failures == 1
            assert actual.states[key].last_error
        else:
            assert actual.states[key] == state
    assert all(
        actual.frames[key] == rows for key, rows in expected.frames.items() if key[1] != project
    )
    trial.clear_faults()
    trial.rate_until_done()
    assert trial.difference(expected) == Difference()


def test_a_failing_scope_is_retried_after_longer_and_longer_delays(new_trial: NewTrial) -> None:
    trial = new_trial(options=LONG_RETRY)
    project = break_project(trial, HTTP_FAULTS["500"])
    delays = []
    for failures in (1, 2, 3):
        start = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        assert trial.once() == 1
        state = trial.content().states["project_id", project]
        assert state.retry_at is not None
        assert state.failures == failures
        delays.append(state.retry_at - start)
    assert delays[0] < delays[1] < delays[2]
    assert delays[2] - delays[1] > MINUTE / 2
