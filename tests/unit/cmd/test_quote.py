"""ratekit quote."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

RULES = """
services:
  instance:
    fields:
      flavor_name:
        mappings:
          - {value: m1.small, cost: "0.020", type: flat, group: uptime}
          - {value: m1.small, cost: "0.015", type: flat, group: uptime, scope: a1}
      project_id:
        mappings: [{value: a1, cost: "0.5", type: rate, group: uptime}]
    mappings: [{cost: "0.001", type: flat}]
"""
BARE = ("quote", "--service", "instance")
SMALL = (*BARE, "--qty", "3", "--label", "flavor_name=m1.small")


@pytest.fixture(autouse=True)
def rules(ratekit: Shell, tmp_path: pathlib.Path, storage: Storage) -> None:
    """Rules, a scope, and no metrics.yml."""
    path = tmp_path / "hashmap.yml"
    path.write_text(RULES)
    assert ratekit("hashmap", "apply", str(path), "--yes").code == 0
    given.list_scopes(storage, "a1")


def test_it_shows_the_price_and_its_calculation(ratekit: Shell) -> None:
    answer = ratekit(*SMALL, "-f", "json", "--at", "2026-03-02T13:30:00+01:00")
    assert answer.code == 0
    fields = answer.json()
    [module] = fields.pop("Breakdown")
    assert fields == {
        "Service": "instance",
        "Quantity": "3",
        "Whole": None,
        "Share": None,
        "Labels": {"flavor_name": "m1.small"},
        "Scope": None,
        "Period begin": "2026-03-02T12:00:00Z",
        "Period end": "2026-03-02T13:00:00Z",
        "Price of the period": "0.063",
        "Price of an hour": "0.063",
        "Price of a day": "1.512",
        "Price of 30 days": "45.36",
    }
    assert [(group["group"], group["arithmetic"]) for group in module["groups"]] == [
        (None, "flat 0.001 * quantity 3 = 0.003"),
        ("uptime", "flat 0.02 * quantity 3 = 0.06"),
    ]
    assert module["groups"][1]["rules"][0] == {
        "id": 2, "kind": "mapping", "value": "m1.small", "service": "instance",
        "field": "flavor_name", "type": "flat", "cost": "0.02", "group": "uptime", "scope": None,
        "start": None, "end": None, "counts": True, "verdict": "counts",
    }  # fmt: skip


def test_a_share_of_a_period_is_priced_as_rating_prices_it(
    ratekit: Shell, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "thresholds.yml"
    path.write_text(
        """
        services:
          instance:
            mappings: [{cost: "0.001", type: flat}]
            thresholds: [{level: "1024", cost: "0.9", type: flat}]
        """
    )
    assert ratekit("hashmap", "apply", str(path), "--yes").code == 0
    fields = ratekit(*BARE, "--qty", "2048", "--share", "1/3", "-f", "json").json()
    assert {name: fields[name] for name in ("Quantity", "Whole", "Share")} == {
        "Quantity": "682.666666666666666667",
        "Whole": "2048",
        "Share": "0.333333333333333333",
    }
    [group] = fields["Breakdown"][0]["groups"]
    assert group["arithmetic"] == (
        "flat 0.001 * quantity 682.666666666666666667 + threshold 0.9 * share "
        "0.333333333333333333 = 0.982666666666666666367"
    )
    assert fields["Price of the period"] == group["price"]


def test_people_read_it_line_by_line(ratekit: Shell) -> None:
    lines = ratekit(*SMALL, "--scope", "name of a1").out.splitlines()
    cells = [line.split("|")[2].rstrip()[1:] for line in lines if line.startswith("|")]
    begin = cells.index("without group:")
    assert cells[begin : begin + 8] == [
        "without group:",
        "  mapping 1: instance flat 0.001 (counts)",
        "  flat 0.001 * quantity 3 = 0.003",
        "group uptime:",
        "  mapping 3: instance.flavor_name=m1.small flat 0.015 group uptime scope a1 (counts)",
        "  mapping 4: instance.project_id=a1 rate 0.5 group uptime (counts)",
        "  mapping 2: instance.flavor_name=m1.small flat 0.02 group uptime (replaced by the "
        "scope's own rule)",
        "  flat 0.015 * rate 0.5 * quantity 3 = 0.0225",
    ]
    assert cells[begin + 8] == "sum: 0.003 + 0.0225 = 0.0255"


def test_a_scope_that_only_rules_name_is_a_note(
    ratekit: Shell, tmp_path: pathlib.Path, storage: Storage
) -> None:
    path = tmp_path / "hashmap.yml"
    apply = ("hashmap", "apply", str(path), "--yes", "--allow-unknown")
    path.write_text(RULES.replace("scope: a1", "scope: name of a1"))
    assert ratekit(*apply).code == 0
    # A name of an existing scope means this scope.
    small = (*SMALL, "--label", "project_id=a1", "-f", "json", "--scope")
    answer = ratekit(*small, "name of a1")
    assert (answer.err, answer.json()["Scope"]) == ("", "a1")
    path.write_text(RULES.replace("scope: a1", "scope: b2"))
    assert ratekit(*apply).code == 0
    answer = ratekit(*small, "b2")
    assert answer.json()["Scope"] == "b2"
    assert (
        answer.err == "ratekit: no scope 'b2' exists yet; using it as a scope ID, as the rules do\n"
    )


def test_the_time_is_now_unless_one_is_given(ratekit: Shell) -> None:
    assert ratekit(*SMALL, "-f", "value", "-c", "Period begin").out == "2026-03-02T12:00:00Z\n"


def test_a_label_that_may_be_wrong_is_a_note(ratekit: Shell) -> None:
    answer = ratekit(*BARE, "--label", "flavour_name=m1.small")
    assert answer.code == 0
    assert answer.err.splitlines() == [
        "ratekit: no rule of instance looks at 'flavour_name' (did you mean 'flavor_name'?)",
        "ratekit: rules of instance also look at these labels: flavor_name, project_id",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("quote", "--service", "instanc"), "did you mean 'instance'"),
        ((*BARE, "--qty", "many"), "--qty: expected a decimal number"),
        ((*BARE, "--qty", "NaN"), "--qty: expected a decimal number"),
        ((*BARE, "--qty", "1_0"), "--qty: expected a decimal number"),
        ((*BARE, "--qty", "1e47"), "--qty: expected a decimal number"),
        ((*BARE, "--qty", "1e-19"), "--qty: expected a decimal number"),
        ((*BARE, "--qty", ""), "--qty: expected a decimal number"),
        *(
            ((*BARE, f"--share={text}"), "--share: expected a fraction above 0 and at most 1")
            for text in ("half", "0", "1/0", "4/3", "-1/3", "1e99999999", "1 / 3", "")
        ),
        ((*BARE, "--label", "flavor_name"), "--label: expected NAME=VALUE"),
        ((*BARE, "--label", "=m1"), "--label: expected NAME=VALUE"),
        ((*BARE, "--label", "a=1", "--label", "a=1"), "--label: 'a' occurs twice"),
        ((*BARE, "--at", "noon"), "--at: expected a date or time"),
        (
            (*BARE, "--at", "9999-12-31T23:59:59"),
            "--at: '9999-12-31T23:59:59' is too far in the future",
        ),
        ((*BARE, "--qty", "-3"), "--qty: expected a decimal number of at least 0"),
        ((*BARE, "--scope", "name of a2"), "--scope: no scope 'name of a2' (did you"),
    ],
)
def test_every_mistake_is_a_line_and_2(
    arguments: tuple[str, ...], expected: str, ratekit: Shell
) -> None:
    answer = ratekit(*arguments)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert expected in answer.err


@pytest.mark.parametrize("quantity", ["0", "1e46", "1e-18", ".5", "3.", "+2", "1.000e1"])
def test_every_number_that_can_be_stored_is_a_quantity(quantity: str, ratekit: Shell) -> None:
    assert ratekit(*BARE, "--qty", quantity).code == 0


def test_a_metric_without_rules_costs_nothing(ratekit: Shell) -> None:
    metrics = ratekit.config.with_name("metrics.yml")
    metrics.write_text("metrics:\n  volume: {unit: GiB, metadata: [type]}\n")
    answer = ratekit("quote", "--service", "volume", "--label", "typ=ssd", "-f", "json")
    assert (answer.json()["Price of 30 days"], answer.code) == ("0", 0)
    assert answer.err == "ratekit: volume has no label 'typ' (did you mean 'type'?)\n"
