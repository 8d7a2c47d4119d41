"""A broken network, broken back ends and nonsense in between: frames lost 0, doubled 0."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.faults.conftest import FULL, SHORT, NewTrial, Truth
from tests.faults.http_faults import (
    GROUP_FAULTS,
    HTTP_FAULTS,
    NETWORK_FAULTS,
    dripping,
    saying,
)
from tests.faults.http_proxy import Place
from tests.faults.ledger_content import Difference
from tests.faults.trial import IMPATIENT, QUICK_TO_GIVE_UP

AGGREGATES = Place("POST", r"/v1/aggregates", (b'"cpu"',))
RESOURCE_TYPES = Place("GET", r"/v1/resource_type/")
KEYSTONE_PLACES = {
    "tokens": Place("POST", r"/v3/auth/tokens"),
    "role assignments": Place("GET", r"/v3/role_assignments"),
}
#: In the short profile all of a family break one catch-up, one after another.
FAMILIES: dict[str, Sequence[str]] = (
    {name: [name] for name in (*NETWORK_FAULTS, *HTTP_FAULTS, *GROUP_FAULTS)}
    if FULL
    else {
        "the network": [*NETWORK_FAULTS],
        "refusals and nonsense": [*HTTP_FAULTS],
        "nonsense inside": [*GROUP_FAULTS][::2],
        "more nonsense inside": [*GROUP_FAULTS][1::2],
    }
)
FAULTS = {**NETWORK_FAULTS, **HTTP_FAULTS, **GROUP_FAULTS}


@pytest.mark.parametrize("family", FAMILIES)
def test_faults_in_gnocchis_aggregates_cost_nobody_a_cent(
    family: str, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(options=IMPATIENT)
    names = FAMILIES[family]
    for name in names:
        trial.gnocchi.plan(AGGREGATES, FAULTS[name], first=2)
    trial.until_done(limit=3 * len(names) + 3)
    assert trial.gnocchi.injected == len(names)
    assert trial.difference(truth(SHORT)) == Difference()


def test_an_answer_that_drips_for_ever_is_given_up(new_trial: NewTrial, truth: Truth) -> None:
    trial = new_trial(options=QUICK_TO_GIVE_UP)
    trial.gnocchi.plan(AGGREGATES, dripping)
    trial.until_done()
    assert trial.gnocchi.injected == 1
    assert trial.difference(truth(SHORT)) == Difference()


def test_faults_in_gnocchis_resource_types_cost_nobody_a_cent(
    new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(options=IMPATIENT)
    names = [*NETWORK_FAULTS, *HTTP_FAULTS] if FULL else ["reset in mid-answer", "500", "null"]
    for name in names:
        trial.gnocchi.plan(RESOURCE_TYPES, FAULTS[name])
    trial.until_done(limit=3 * len(names) + 3)
    assert trial.gnocchi.injected == len(names)
    assert trial.difference(truth(SHORT)) == Difference()


@pytest.mark.parametrize("place", KEYSTONE_PLACES)
def test_faults_in_keystones_answers_cost_nobody_a_cent(
    place: str, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(options=IMPATIENT)
    names = [*NETWORK_FAULTS, *HTTP_FAULTS] if FULL else ["reset in mid-answer", "502 page", "{}"]
    for name in names:
        trial.keystone.plan(KEYSTONE_PLACES[place], FAULTS[name])
    trial.until_done(limit=3 * len(names) + 3)
    assert trial.keystone.injected == len(names)
    assert trial.difference(truth(SHORT)) == Difference()


def test_a_token_that_expired_is_renewed_and_nothing_fails(
    new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial()
    trial.gnocchi.plan(AGGREGATES, FAULTS["401"], first=2)
    assert trial.once() == 0
    assert trial.gnocchi.injected == 1
    assert trial.difference(truth(SHORT)) == Difference()


def test_while_nobody_is_let_in_nobody_is_rated_and_nothing_is_lost(
    new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial()
    trial.gnocchi.plan(AGGREGATES, FAULTS["401"], first=2, times=None)
    for _ in range(2):
        assert trial.once() == 1
    trial.heal()
    trial.until_done()
    assert trial.difference(truth(SHORT)) == Difference()


def test_a_list_of_projects_that_is_empty_by_mistake_loses_nothing(
    new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial()
    trial.gnocchi.plan(AGGREGATES, FAULTS["500"], first=2)
    trial.once()
    nobody = saying(200, {"role_assignments": [], "links": {}})
    trial.keystone.plan(KEYSTONE_PLACES["role assignments"], nobody, times=2)
    trial.once()
    trial.once()
    trial.until_done()
    assert trial.keystone.injected == 2
    assert trial.difference(truth(SHORT)) == Difference()
