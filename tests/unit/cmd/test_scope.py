"""ratekit scope list."""

from __future__ import annotations

import csv

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell


def test_it_shows_how_far_each_scope_has_been_rated(ratekit: Shell, usage: None) -> None:
    # At 36:30 the period that ends at 35:00 is the newest that is due.
    assert ratekit("scope", "list", "-f", "json").json() == [
        {
            "Scope": one,
            "Name": f"name of {one}",
            "Rated until": "2026-03-01T02:00:00Z",
            "Lag": 33 * 3600,
            "State": "active",
        }
        for one in ("a1", "b2")
    ]
    assert "| 1 d 9 h |" in ratekit("scope", "list").out


def test_lag_is_nothing_when_all_that_is_due_is_rated(ratekit: Shell, usage: None) -> None:
    ratekit.now = given.hour(3.5)
    assert [row["Lag"] for row in ratekit("scope", "list", "-f", "json").json()] == [0, 0]
    ratekit.now = given.hour(0)
    assert "| 0   |" in ratekit("scope", "list").out


def test_a_failing_scope_shows_why_and_when_it_is_tried_again(
    ratekit: Shell, storage: Storage
) -> None:
    state = given.listed(storage, "a1")
    storage.ledger.postpone(state, "Gnocchi said \x1b[31mno", given.hour(37))
    expected = "failing (1): Gnocchi said {}no, retry at 2026-03-02T13:00:00Z"
    assert expected.format("\x1b[31m") == ratekit("scope", "list", "-f", "json").json()[0]["State"]
    # A terminal would obey.
    assert expected.format("\\x1b[31m") in ratekit("scope", "list").out


def test_inactive_scopes_are_shown_when_all_are_asked_for(ratekit: Shell, storage: Storage) -> None:
    given.listed(storage, "gone")
    given.listed(storage, "here", now=given.hour(1))
    assert [row["Scope"] for row in ratekit("scope", "list", "-f", "json").json()] == ["here"]
    rows = list(csv.DictReader(ratekit("scope", "list", "--all", "-f", "csv").out.splitlines()))
    assert [(row["Scope"], row["State"], row["Lag"]) for row in rows] == [
        ("gone", "inactive", ""),
        ("here", "active", "126000"),
    ]
