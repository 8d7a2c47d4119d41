"""ratekit frame list."""

from __future__ import annotations

import csv
import json

import yaml

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

LABELS = {"flavor_name": "m1.small", "image": None, "project_id": "a1"}


def test_frames_are_listed_as_stored(ratekit: Shell, usage: None) -> None:
    rows = ratekit("frame", "list", "-f", "json").json()
    assert rows[0] == {
        "Begin": "2026-03-01T00:00:00Z",
        "Scope": "a1",
        "Metric": "instance",
        "Quantity": "1",
        "Unit": "instance",
        "Price": "0.1",
        "Labels": LABELS,
        "Whole": None,
        "Share": None,
    }
    assert [row["Price"] for row in rows][-1] == "0.2"
    assert len(rows) == 4


def test_labels_are_text_in_a_table_and_json_in_a_csv(ratekit: Shell, usage: None) -> None:
    assert "| flavor_name=m1.small, project_id=a1 |" in ratekit("frame", "list").out
    first = next(csv.DictReader(ratekit("frame", "list", "-f", "csv").out.splitlines()))
    assert json.loads(first["Labels"]) == LABELS
    assert yaml.safe_load(ratekit("frame", "list", "-f", "yaml").out)[0]["Labels"] == LABELS


def test_what_a_quantity_is_a_share_of_is_listed_for_machines_and_on_request(
    ratekit: Shell, storage: Storage
) -> None:
    series = given.build_series("a1", [("0.5", "1")], shared={0: ("2", "0.25")})
    storage.ledger.commit(given.batch(given.list_scopes(storage, "a1"), series))
    first = next(csv.DictReader(ratekit("frame", "list", "-f", "csv").out.splitlines()))
    assert (first["Quantity"], first["Whole"], first["Share"]) == ("0.5", "2", "0.25")
    assert "Share" not in ratekit("frame", "list").out
    assert "|  0.25 |" in ratekit("frame", "list", "-c", "Quantity", "-c", "Share").out


def test_it_selects_and_shows_times_in_a_zone(ratekit: Shell, usage: None) -> None:
    berlin = ("--timezone", "Europe/Berlin", "--begin", "2026-03-01T02:00", "-f", "json")
    rows = ratekit("frame", "list", "--scope", "a1", "--metric", "instance", *berlin).json()
    assert [row["Begin"] for row in rows] == ["2026-03-01T02:00:00+01:00"]


def test_more_frames_than_the_limit_are_a_note(ratekit: Shell, usage: None) -> None:
    answer = ratekit("frame", "list", "--limit", "3", "-f", "json")
    assert len(answer.json()) == 3
    assert answer.err == "ratekit: more than 3 frames match; --limit 0 lists all\n"
    for limit in ("4", "0"):
        answer = ratekit("frame", "list", "--limit", limit, "-f", "json")
        assert (len(answer.json()), answer.err) == (4, "")
