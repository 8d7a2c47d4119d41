"""One project that Gnocchi cannot answer for holds up nobody else."""

from __future__ import annotations

import datetime

import pytest

from tests.faults.conftest import SHORT, NewTrial, Truth
from tests.faults.http_faults import GROUP_FAULTS, HTTP_FAULTS, NO_SCOPE
from tests.faults.http_proxy import Place, PolicyMismatch
from tests.faults.ledger_content import Difference
from tests.faults.trial import SMALL_BATCHES, Trial

MINUTE = datetime.timedelta(minutes=1)
BAD = "demo-02"
PATIENT = {**SMALL_BATCHES, "orchestrator": {**SMALL_BATCHES["orchestrator"], "retry_seconds": 60}}


def spoil(trial: Trial, fault: PolicyMismatch) -> str:
    """Break every question about one project's instances; return the project's id."""
    project = trial.site.cloud.project_ids[BAD]
    trial.gnocchi.plan(
        Place("POST", "/v1/aggregates", (b'"cpu"', project.encode())), fault, times=None
    )
    return project


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(HTTP_FAULTS["500"], id="500"),
        pytest.param(GROUP_FAULTS["duplicate groups"], id="duplicate groups"),
        pytest.param(NO_SCOPE, id="no scope"),
    ],
)
def test_all_others_are_rated_to_the_end(
    fault: PolicyMismatch, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial()
    project = spoil(trial, fault)
    assert trial.once() == 1
    found, true = trial.content(), truth(SHORT)
    for key, state in true.states.items():
        if key[1] == project:
            assert found.states[key].rated_until < state.rated_until
            assert found.states[key].failures == 1
            assert found.states[key].last_error
        else:
            assert found.states[key] == state
    assert all(found.frames[key] == rows for key, rows in true.frames.items() if key[1] != project)
    trial.heal()
    trial.until_done()
    assert trial.difference(true) == Difference()


def test_a_scope_in_error_is_left_alone_longer_each_time(new_trial: NewTrial) -> None:
    trial = new_trial(options=PATIENT)
    project = spoil(trial, HTTP_FAULTS["500"])
    rests = []
    for failures in (1, 2, 3):
        begun = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        assert trial.once() == 1
        state = trial.content().states["project_id", project]
        assert state.retry_at is not None
        assert state.failures == failures
        rests.append(state.retry_at - begun)
    assert rests[0] < rests[1] < rests[2]
    assert rests[2] - rests[1] > MINUTE / 2
