"""ratekit hashmap apply, after periods were rated without any price rule."""

from __future__ import annotations

import pathlib
import shlex

import pytest

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

RULES = "services: {instance: {mappings: [{cost: 2, type: flat}]}}\n"
RATED = "2026-03-01T00:00:00Z to 2026-03-01T02:00:00Z: 4 frames of 2 scopes"


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    """A rule file."""
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return path


@pytest.mark.usefixtures("usage")
def test_what_was_rated_without_rules_is_said_with_the_commands_that_charge_it(
    ratekit: Shell, file: pathlib.Path, storage: Storage
) -> None:
    answer = ratekit("hashmap", "plan", str(file), "--allow-free")
    lines = answer.out.splitlines()
    assert lines[-2] == f"{RATED} were rated without any price rule"
    document = ratekit("hashmap", "plan", str(file), "--allow-free", "-f", "json").json()
    assert document["charged"] is None
    assert document["rated_without_rules"] == {
        "begin": "2026-03-01T00:00:00Z",
        "end": "2026-03-01T02:00:00Z",
        "frames": 4,
        "scopes": 2,
    }
    answer = ratekit("hashmap", "apply", str(file), "--allow-free", "--yes")
    assert answer.out.splitlines()[-1] == lines[-1]
    first, second = lines[-1].removeprefix("to charge them by these rules, run: ").split("; then: ")
    answer = ratekit(*shlex.split(first.replace("FILE", str(file)))[1:], "--allow-free", "--yes")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[0] == "prices change from 2026-03-01T00:00:00Z:"
    assert answer.out.splitlines()[-1] == f"they keep their prices until you run: {second}"
    assert ratekit(*shlex.split(second)[1:], "--yes").code == 0
    assert [task.order.scope.id for task, _ in storage.tasks.tasks()] == ["a1", "b2"]


@pytest.mark.usefixtures("usage")
def test_a_first_change_of_the_past_says_that_there_was_no_rule(
    ratekit: Shell, file: pathlib.Path
) -> None:
    answer = ratekit("hashmap", "plan", str(file), "--at", "2026-03-01", "--retroactive")
    assert "up to 3 frames of 2 scopes were charged without any price rule" in answer.out


@pytest.mark.usefixtures("usage")
def test_later_changes_say_nothing_of_it(ratekit: Shell, file: pathlib.Path) -> None:
    assert ratekit("hashmap", "apply", str(file), "--allow-free", "--yes").code == 0
    file.write_text(RULES.replace("cost: 2", "cost: 3"))
    assert "without any" not in ratekit("hashmap", "plan", str(file)).out


def test_before_anything_is_rated_there_is_nothing_to_say(
    ratekit: Shell, file: pathlib.Path, storage: Storage
) -> None:
    given.list_scopes(storage, "a1")
    assert "without any" not in ratekit("hashmap", "plan", str(file)).out
