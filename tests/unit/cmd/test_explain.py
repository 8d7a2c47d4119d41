"""ratekit explain."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from ratekit.domain.reprocessing.task import Order, RepricedWindow, TaskKind, TaskNote
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms, ThresholdRule
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

FLAVOR = RuleTarget("instance", "flavor_name")
FRAME = ("explain", "--scope", "a1", "--metric", "instance", "--period", "2026-03-01T00:00:00Z")


@pytest.fixture(autouse=True)
def frames(storage: Storage) -> None:
    """Two servers that cost 0.1 an hour, by a rule."""
    rule = MappingRule(FLAVOR, "m1", Terms(Decimal("0.1"), CostType.FLAT, "uptime"))
    storage.rules.change(0, [], [rule], given.note())
    states = given.list_scopes(storage, "a1")
    usages = [
        given.build_series("a1", [("3", "0.3")], labels={"id": id_}, metadata={"flavor_name": "m1"})
        for id_ in ("r1", "r2")
    ]
    storage.ledger.commit(given.batch(states, *usages, rules=1))


def raise_price(storage: Storage, cost: str) -> None:
    """Change the price of all rated periods, as a retroactive change does."""
    book = storage.rules.read()
    [old] = [rule for rule in book.rules if rule.terms.end is None]
    terms = dataclasses.replace(old.terms, cost=Decimal(cost), start=given.START)
    new = dataclasses.replace(old, terms=terms, id=None)
    note = ChangeNote(given.hour(5), "bob@host", "typo", retroactive=True)
    storage.rules.change(book.version, [(old, given.START)], [new], note)


def explain(ratekit: Shell, *options: str) -> Any:
    answer = ratekit(*FRAME, "--resource", "r1", *options, "-f", "json")
    assert (answer.code, answer.err) == (0, "")
    return answer.json()


def test_it_shows_the_frame_its_rules_and_the_same_price_today(ratekit: Shell) -> None:
    fields = explain(ratekit, "--offline")
    [module] = fields.pop("Breakdown")
    assert fields == {
        "Scope": "a1",
        "Name": "name of a1",
        "Metric": "instance",
        "Period": "2026-03-01T00:00:00Z",
        "Labels": {"flavor_name": "m1", "project_id": "a1", "id": "r1"},
        "Quantity": "3",
        "Unit": "instance",
        "Whole": None,
        "Share": None,
        "Reduction": None,
        "Price": "0.3",
        "Rules": {"version": 1, "changed": None},
        "Today": {"version": 1, "price": "0.3", "difference": "0"},
        "Reprocessed": None,
    }
    [group] = module["groups"]
    assert (group["arithmetic"], group["price"]) == ("flat 0.1 * quantity 3 = 0.3", "0.3")


def test_a_share_is_shown_with_what_the_thresholds_saw(ratekit: Shell, storage: Storage) -> None:
    threshold = ThresholdRule(RuleTarget("volume"), Decimal(3), Terms(Decimal(8), CostType.FLAT))
    storage.rules.change(1, [], [threshold], given.note())
    states = given.list_scopes(storage, "a1")
    series = given.build_series(
        "a1", [("1", "2")], metric="volume", begin=given.hour(1), shared={0: ("4", "0.25")}
    )
    storage.ledger.commit(
        given.batch(states, series, periods=given.window(1, given.hour(1)), rules=2)
    )
    answer = ratekit(
        *("explain", "--scope", "a1", "--metric", "volume", "--period", "2026-03-01T01:00:00Z"),
        *("--offline", "-f", "json"),
    )
    fields = answer.json()
    assert {name: fields[name] for name in ("Quantity", "Whole", "Share", "Price")} == {
        "Quantity": "1", "Whole": "4", "Share": "0.25", "Price": "2",
    }  # fmt: skip
    assert fields["Rules"] == {"version": 2, "changed": None}
    [group] = fields["Breakdown"][0]["groups"]
    assert group["arithmetic"] == "flat 0 * quantity 1 + threshold 8 * share 0.25 = 2"


def test_after_a_retroactive_change_it_shows_both_prices_and_who_made_it(
    ratekit: Shell, storage: Storage
) -> None:
    raise_price(storage, "0.15")
    fields = explain(ratekit, "--offline")
    assert fields["Rules"] == {
        "version": 1,
        "changed": {"by": "bob@host", "at": "2026-03-01T05:00:00Z", "comment": "typo"},
    }
    assert fields["Today"] == {"version": 2, "price": "0.45", "difference": "0.15"}
    assert fields["Breakdown"][0]["price"] == fields["Price"] == "0.3"
    text = ratekit(*FRAME, "--resource", "r1", "--offline").out
    assert "version 1, before bob@host changed them at 2026-03-01T05:00:00Z: typo" in text
    assert "0.45, a difference of 0.15; ratekit reprocess --rates-only would charge it" in text


def test_it_names_the_task_that_swapped_the_period(ratekit: Shell, storage: Storage) -> None:
    raise_price(storage, "0.15")
    order = Order(Scope("a1"), given.hour(0), given.hour(1), given.HOUR, TaskKind.RATES)
    storage.tasks.add([order], TaskNote("typo", "bob@host", given.hour(6)))
    (task,) = storage.task_ledger.open_tasks(None)
    (new,) = [
        given.build_series(
            "a1", [("3", "0.45")], labels={"id": "r1"}, metadata={"flavor_name": "m1"}
        )
    ]
    storage.task_ledger.swap(task, RepricedWindow(given.window(), {}, [new], 2), given.hour(7))
    assert explain(ratekit, "--offline")["Reprocessed"] == {
        "task": task.id, "at": "2026-03-01T07:00:00Z", "by": "bob@host", "reason": "typo",
    }  # fmt: skip
    text = ratekit(*FRAME, "--offline").out
    assert f"by task {task.id} of bob@host at 2026-03-01T07:00:00Z: typo" in text


def test_a_time_within_the_period_is_enough(ratekit: Shell) -> None:
    answer = ratekit(*FRAME[:-1], "2026-03-01T00:59", "--resource", "r1", "--offline", "-f", "json")
    assert (answer.code, answer.json()["Period"]) == (0, "2026-03-01T00:00:00Z")


def test_a_price_that_no_rules_give_is_reported(ratekit: Shell) -> None:
    ratekit.config.write_text(ratekit.config.read_text() + "[rating]\nmodules = noop\n")
    fields = explain(ratekit, "--offline")
    assert fields["Rules"] == {"version": None, "changed": None}
    assert fields["Today"] == {"version": 1, "price": "0", "difference": "-0.3"}
    answer = ratekit(*FRAME, "--resource", "r1", "--offline")
    assert "no recorded version gives this price" in answer.out


def test_without_a_back_end_only_the_reduction_is_missing(ratekit: Shell) -> None:
    fields = explain(ratekit)
    assert "auth_type" in fields["Reduction"]["unavailable"]
    assert fields["Price"] == "0.3"


def test_output_of_frame_list_is_valid_input(ratekit: Shell) -> None:
    berlin = ("--timezone", "Europe/Berlin", "--begin", "2026-03-01T01:00")
    row = ratekit("frame", "list", *berlin, "-f", "json").json()[0]
    assert row["Begin"] == "2026-03-01T01:00:00+01:00"
    answer = ratekit(
        "explain", "--scope", row["Scope"], "--metric", row["Metric"], "--period", row["Begin"],
        *(f"--label={name}={value}" for name, value in row["Labels"].items()), "--offline",
    )  # fmt: skip
    assert answer.code == 0


def test_several_matching_frames_are_listed_with_their_labels(ratekit: Shell) -> None:
    answer = ratekit(*FRAME, "--offline")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines()[1:] == ["ratekit:   id=r1", "ratekit:   id=r2"]
    assert "2 frames of instance of scope a1" in answer.err


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"--scope": "a11"}, "--scope: no scope 'a11'"),
        ({"--metric": "instanc"}, "--metric: no metric is called 'instanc' (did you mean"),
        ({"--period": "noon"}, "--period: expected a date or time"),
        ({"--period": "2026-03-01T01:00"}, "no frame of instance of scope a1"),
        ({"--label": "flavor_name"}, "--label: expected NAME=VALUE"),
        ({"--label": "flavor=m1"}, "has a label 'flavor'"),
    ],
)
def test_every_mistake_is_a_line_and_2(
    changed: dict[str, str], expected: str, ratekit: Shell
) -> None:
    options = {**dict(zip(FRAME[1::2], FRAME[2::2], strict=True)), **changed}
    answer = ratekit("explain", *(word for pair in options.items() for word in pair))
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert expected in answer.err
