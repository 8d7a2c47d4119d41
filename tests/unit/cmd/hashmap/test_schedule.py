"""ratekit hashmap apply, again and again: what is scheduled stays scheduled."""

from __future__ import annotations

import pathlib

import pytest

from tests.contract import given
from tests.unit.cmd.conftest import Shell

RULES = """
services:
  instance:
    fields:
      flavor_name:
        mappings:
          - {value: m1.small, cost: "0.020", type: flat}
          - {value: m1.large, cost: "0.080", type: flat}
"""
DECEMBER = RULES.replace("0.020", "0.025").replace(
    '          - {value: m1.large, cost: "0.080", type: flat}\n',
    '          - {value: m1.huge, cost: "0.090", type: flat}\n',
)
MAY = "2026-05-01T00:00:00Z"


@pytest.fixture
def file(ratekit: Shell, usage: None, tmp_path: pathlib.Path) -> pathlib.Path:
    """A rule file whose content was applied for May."""
    path = tmp_path / "hashmap.yml"
    path.write_text(RULES)
    assert ratekit("hashmap", "apply", str(path), "--yes").code == 0
    path.write_text(DECEMBER)
    answer = ratekit("hashmap", "apply", str(path), "--yes", "--allow-free", "--at", MAY)
    assert answer.code == 0
    return path


def price(ratekit: Shell, at: str) -> str:
    """Return what an hour of the small flavor costs by the rules in force at a time."""
    options = ("--service", "instance", "--label", "flavor_name=m1.small", "--at", at)
    price = ratekit("quote", *options, "-f", "json").json()["Price of an hour"]
    assert isinstance(price, str)
    return price


STAYS = [
    f"stays scheduled: instance.flavor_name=m1.small flat 0.025 from {MAY}",
    "stays scheduled: instance.flavor_name=m1.large flat 0.08 from 2026-03-02T13:00:00Z until "
    + MAY,
    f"stays scheduled: instance.flavor_name=m1.huge flat 0.09 from {MAY}",
]


def test_a_pipeline_that_applies_the_file_again_changes_nothing(
    ratekit: Shell, file: pathlib.Path
) -> None:
    rules = ratekit("hashmap", "export").out
    for hours in (40.5, 41.5, 1000):
        ratekit.now = given.hour(hours)
        answer = ratekit("hashmap", "apply", str(file), "--yes", "--allow-free")
        lines = answer.out.splitlines()
        assert (answer.code, answer.err) == (0, "")
        assert lines[0] == "nothing to do: 4 rules already in force or scheduled"
        assert lines[1:-1] == STAYS
        assert lines[-1].startswith("to make scheduled changes from 2026-0")
        assert lines[-1].endswith("Z instead, use --bring-forward")
    assert ratekit("hashmap", "export").out == rules
    assert price(ratekit, "2026-04-30T23:00:00Z") == "0.02"
    assert price(ratekit, MAY) == "0.025"
    assert ratekit("hashmap", "plan", str(file), "--exit-code").code == 0


def test_once_in_force_nothing_is_scheduled_any_more(ratekit: Shell, file: pathlib.Path) -> None:
    ratekit.now = given.hour(24 * 70)
    answer = ratekit("hashmap", "apply", str(file))
    assert answer.out == "nothing to do: 2 rules already in force\n"


def test_bringing_forward_is_said(ratekit: Shell, file: pathlib.Path) -> None:
    ratekit.now = given.hour(40.5)
    since = "2026-03-02T17:00:00Z"
    answer = ratekit("hashmap", "plan", str(file), "--bring-forward", "--allow-free")
    lines = answer.out.splitlines()
    assert lines[0] == f"prices change from {since}:"
    assert f"+ instance.flavor_name=m1.small flat 0.025 from {since} until {MAY}" in lines
    assert [line for line in lines if line.startswith("brought")] == [
        line.replace("stays scheduled", f"brought forward to {since}") for line in STAYS
    ]
    document = ratekit(
        "hashmap", "plan", str(file), "--bring-forward", "--allow-free", "-f", "json"
    ).json()
    assert document["scheduled"] == []
    assert [f"stays scheduled: {text}" for text in document["brought_forward"]] == STAYS
    assert ratekit("hashmap", "plan", str(file), "-f", "json").json()["brought_forward"] == []
    assert price(ratekit, since) == "0.02"
    answer = ratekit("hashmap", "apply", str(file), "--bring-forward", "--allow-free", "--yes")
    assert answer.code == 0
    assert price(ratekit, "2026-03-02T16:00:00Z") == "0.02"
    assert price(ratekit, since) == "0.025"


def test_an_export_of_scheduled_rules_changes_nothing(
    ratekit: Shell, file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    exported = tmp_path / "exported.yml"
    assert ratekit("hashmap", "export", str(exported)).code == 0
    answer = ratekit("hashmap", "apply", str(exported))
    assert answer.out == "nothing to do: 4 rules already in force\n"


def test_a_time_after_the_scheduled_one_does_not_postpone(
    ratekit: Shell, file: pathlib.Path
) -> None:
    later = "2026-06-01T00:00:00Z"
    answer = ratekit("hashmap", "plan", str(file), "--at", later)
    assert answer.out.splitlines()[1] == (
        f"stays scheduled before {later}: instance.flavor_name=m1.small flat 0.025 from {MAY}; to "
        "postpone it, write the time in the file"
    )
