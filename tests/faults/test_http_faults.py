"""Faults of the network and of HTTP services: no frame is lost, none is duplicated."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.faults.conftest import BRIEF, FULL, SHORT, ExpectedContent, NewTrial
from tests.faults.http_faults import (
    GROUP_FAULTS,
    HTTP_FAULTS,
    NETWORK_FAULTS,
    drip,
    respond_with,
)
from tests.faults.http_proxy import Place
from tests.faults.ledger_content import Difference
from tests.faults.trial import SHORT_BATCH_TIMEOUT, SHORT_TIMEOUTS

AGGREGATES = Place("POST", r"/v1/aggregates", (b'"cpu"',))
RESOURCE_TYPES = Place("GET", r"/v1/resource_type/")
KEYSTONE_PLACES = {
    "tokens": Place("POST", r"/v3/auth/tokens"),
    "role assignments": Place("GET", r"/v3/role_assignments"),
}
#: In the short profile one trial meets all faults of a family, one after another.
FAMILIES: dict[str, Sequence[str]] = (
    {name: [name] for name in (*NETWORK_FAULTS, *HTTP_FAULTS, *GROUP_FAULTS)}
    if FULL
    else {
        "the network": [*NETWORK_FAULTS],
        "wrong responses": [*HTTP_FAULTS],
        "wrong groups": [*GROUP_FAULTS][::2],
        "more wrong groups": [*GROUP_FAULTS][1::2],
    }
)
FAULTS = {**NETWORK_FAULTS, **HTTP_FAULTS, **GROUP_FAULTS}


@pytest.mark.parametrize("family", FAMILIES)
def test_faults_in_gnocchis_aggregates_change_no_charge(
    family: str, new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(options=SHORT_TIMEOUTS)
    names = FAMILIES[family]
    for name in names:
        trial.gnocchi.plan(AGGREGATES, FAULTS[name], first=2)
    trial.rate_until_done(limit=3 * len(names) + 3)
    assert trial.gnocchi.injections == len(names)
    assert trial.difference(expected_content(SHORT)) == Difference()


def test_a_response_without_an_end_times_out(
    new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    # A scope whose batch timed out is collected in parts: the more periods, the more requests.
    trial = new_trial(BRIEF, SHORT_BATCH_TIMEOUT)
    trial.gnocchi.plan(AGGREGATES, drip)
    trial.rate_until_done()
    assert trial.gnocchi.injections == 1
    assert trial.difference(expected_content(BRIEF)) == Difference()


def test_faults_in_gnocchis_resource_types_change_no_charge(
    new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(options=SHORT_TIMEOUTS)
    names = (
        [*NETWORK_FAULTS, *HTTP_FAULTS] if FULL else ["reset within the response", "500", "null"]
    )
    for name in names:
        trial.gnocchi.plan(RESOURCE_TYPES, FAULTS[name])
    trial.rate_until_done(limit=3 * len(names) + 3)
    assert trial.gnocchi.injections == len(names)
    assert trial.difference(expected_content(SHORT)) == Difference()


@pytest.mark.parametrize("place", KEYSTONE_PLACES)
def test_faults_in_keystones_answers_change_no_charge(
    place: str, new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(options=SHORT_TIMEOUTS)
    names = (
        [*NETWORK_FAULTS, *HTTP_FAULTS] if FULL else ["reset within the response", "502 page", "{}"]
    )
    for name in names:
        trial.keystone.plan(KEYSTONE_PLACES[place], FAULTS[name])
    trial.rate_until_done(limit=3 * len(names) + 3)
    assert trial.keystone.injections == len(names)
    assert trial.difference(expected_content(SHORT)) == Difference()


def test_a_token_that_expired_is_renewed_and_nothing_fails(
    new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial()
    trial.gnocchi.plan(AGGREGATES, FAULTS["401"], first=2)
    assert trial.once() == 0
    assert trial.gnocchi.injections == 1
    assert trial.difference(expected_content(SHORT)) == Difference()


def test_while_gnocchi_refuses_all_tokens_nothing_is_rated_and_nothing_is_lost(
    new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial()
    trial.gnocchi.plan(AGGREGATES, FAULTS["401"], first=2, times=None)
    for _ in range(2):
        assert trial.once() == 1
    trial.clear_faults()
    trial.rate_until_done()
    assert trial.difference(expected_content(SHORT)) == Difference()


def test_a_list_of_projects_that_is_empty_by_mistake_loses_nothing(
    new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial()
    trial.gnocchi.plan(AGGREGATES, FAULTS["500"], first=2)
    trial.once()
    no_roles = respond_with(200, {"role_assignments": [], "links": {}})
    trial.keystone.plan(KEYSTONE_PLACES["role assignments"], no_roles, times=2)
    trial.once()
    trial.once()
    trial.rate_until_done()
    assert trial.keystone.injections == 2
    assert trial.difference(expected_content(SHORT)) == Difference()
