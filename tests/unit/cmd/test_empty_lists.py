"""Lists without rows say so to people, on standard error, and stay readable for programs."""

from __future__ import annotations

import json

import pytest

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

NOTES = {
    "scope list": "no scopes yet; ratekit-processor adds those that the fetcher returns",
    "scope list --all": "no scopes yet; ratekit-processor adds those that the fetcher returns",
    "frame list": "no frames match from 2026-03-01T00:00:00Z to 2026-03-02T12:30:00Z",
    "summary": "no frames match from 2026-03-01T00:00:00Z to 2026-03-02T12:30:00Z",
    "frame list --begin 2026-02 --timezone Europe/Berlin": "no frames match from "
    "2026-02-01T00:00:00+01:00 to 2026-03-02T13:30:00+01:00",
    "hashmap history": "the price rules were never changed; see ratekit hashmap apply",
    "reprocess list": "no open tasks; --all lists those that have ended, too",
    "reprocess list --all": "no tasks; ratekit reprocess queues them",
}


@pytest.mark.parametrize(("command", "note"), NOTES.items())
def test_an_empty_list_says_so_on_standard_error(ratekit: Shell, command: str, note: str) -> None:
    answer = ratekit(*command.split())
    assert (answer.code, answer.err) == (0, f"ratekit: {note}\n")
    assert "\n\n" not in f"\n{answer.out}"
    assert "|" not in answer.out
    answer = ratekit(*command.split(), "-f", "json")
    assert (answer.code, json.loads(answer.out), answer.err) == (0, [], f"ratekit: {note}\n")


def test_a_list_that_hides_all_scopes_says_how_to_see_them(
    ratekit: Shell, storage: Storage
) -> None:
    given.list_scopes(storage, "gone", now=given.hour(-0.5))
    storage.ledger.observe([], given.hour(1), start=given.hour(1), resume=given.hour(1))
    answer = ratekit("scope", "list")
    assert (answer.out, answer.err) == (
        "",
        "ratekit: 1 scope is no longer rated; --all lists it, too\n",
    )


def test_an_empty_table_may_be_asked_for(ratekit: Shell) -> None:
    assert "| Scope | Name |" in ratekit("scope", "list", "--print-empty").out
