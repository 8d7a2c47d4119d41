"""ratekit hashmap plan and apply: changes that an option must allow."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

COMMANDS = [("plan",), ("apply", "--yes")]
#: Three prices of one label, a price of another service.
RULES = """
services:
  volume: {mappings: [{cost: 1, type: flat}]}
  instance:
    fields:
      flavor_name:
        mappings:
          - {value: m1.small, cost: 2, type: flat}
          - {value: m1.big, cost: 4, type: flat}
"""
SMALL = "          - {value: m1.small, cost: 2, type: flat}\n"
BIG = "          - {value: m1.big, cost: 4, type: flat}\n"


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    """A rule file."""
    path = tmp_path / "hashmap.yml"
    path.write_text(RULES)
    return path


@pytest.fixture
def applied_rules(ratekit: Shell, file: pathlib.Path, storage: Storage) -> None:
    """The file was applied, and then two hours of two scopes were rated by it."""
    assert ratekit("hashmap", "apply", "--yes", str(file)).code == 0
    states = given.list_scopes(storage, "a1", "b2")
    small, big = {"flavor_name": "m1.small"}, {"flavor_name": "m1.big"}
    storage.ledger.commit(
        given.batch(
            states,
            given.build_series("a1", [("1", "2"), ("1", "2")], metadata=small),
            given.build_series("b2", [("1", "2"), ("3", "6")], metadata=small),
            # The newest period has none of it.
            given.build_series("b2", [("1", "4")], metadata=big),
            given.build_series("b2", [("1", "0"), ("1", "0")], metadata={"flavor_name": "free"}),
            given.build_series("b2", [("1", "1"), ("0", "0")], metric="volume"),
            periods=given.window(2),
            rules=1,
        )
    )


class TestFreeUsage:
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    @pytest.mark.parametrize(
        ("old", "new", "since"),
        [
            (SMALL, "", "2026-03-02T13:00:00Z"),
            ("cost: 2", "cost: 0", "2026-03-02T13:00:00Z"),
            ("cost: 2", "cost: -1", "2026-03-02T13:00:00Z"),
            ("m1.small", "m1.smal", "2026-03-02T13:00:00Z"),
            ("cost: 2", "end: 2026-04-01, cost: 2", "2026-04-01T00:00:00Z"),
            ("cost: 2", "end: 2026-04-01T00:10, cost: 3", "2026-04-01T01:00:00Z"),
            ("cost: 2", "start: 2026-04-01, cost: 3", "2026-03-02T13:00:00Z"),
        ],
    )
    def test_usage_with_a_price_is_not_made_free(
        self,
        ratekit: Shell,
        file: pathlib.Path,
        storage: Storage,
        applied_rules: None,
        command: tuple[str, ...],
        old: str,
        new: str,
        since: str,
    ) -> None:
        file.write_text(RULES.replace(old, new))
        answer = ratekit("hashmap", *command, str(file))
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == (
            "ratekit: instance: 2 recent usages, such as "
            f"flavor_name='m1.small' of scope a1, would cost nothing from {since}, but has a price "
            "by the current rules: keep a rule for it, or use --allow-free\n"
        )
        assert storage.rules.read().version == 1
        assert ratekit("hashmap", *command, "--allow-free", str(file)).code == 0

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("cost: 2", "cost: 0.001"),
            (BIG, ""),
            ("value: m1.big", "value: free"),
            (
                SMALL,
                SMALL.replace("cost: 2", "end: 2026-04-01, cost: 2")
                + SMALL.replace("cost: 2", "start: 2026-04-01, end: 2026-05-01, cost: 5")
                + SMALL.replace("cost: 2", "start: 2026-05-01, cost: 2"),
            ),
            ("volume: {mappings: [{cost: 1,", "volume: {mappings: [{cost: 0,"),
        ],
        ids=["cheaper", "not used", "dearer", "for a while", "no quantity"],
    )
    def test_usage_that_keeps_a_price_or_does_not_exist_is_no_obstacle(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None, old: str, new: str
    ) -> None:
        file.write_text(RULES.replace(old, new))
        answer = ratekit("hashmap", "plan", str(file))
        assert (answer.code, answer.err) == (0, "")

    def test_a_share_whose_whole_reaches_a_level_is_not_made_free(
        self, ratekit: Shell, file: pathlib.Path, storage: Storage
    ) -> None:
        file.write_text("services: {disk: {thresholds: [{level: 4, cost: 8, type: flat}]}}")
        assert ratekit("hashmap", "apply", "--yes", str(file)).code == 0
        series = given.build_series("a1", [("1", "2")], metric="disk", shared={0: ("4", "0.25")})
        states = given.list_scopes(storage, "a1")
        storage.ledger.commit(given.batch(states, series, rules=1))
        file.write_text("services: {disk: {thresholds: [{level: 5, cost: 8, type: flat}]}}")
        answer = ratekit("hashmap", "plan", str(file))
        assert answer.code == 2
        assert "disk: 1 recent usage" in answer.err

    def test_free_usage_of_one_scope_is_reported_with_the_scope(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        file.write_text(RULES + SMALL.replace("cost: 2", "cost: 0, scope: b2"))
        answer = ratekit("hashmap", "plan", str(file))
        assert answer.code == 2
        assert "instance: 1 recent usage" in answer.err
        assert "of scope b2, would cost nothing" in answer.err

    def test_the_usage_that_is_free_first_is_the_example(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        scope_rule = SMALL.replace("cost: 2", "cost: 0, scope: b2, start: 2026-04-01")
        file.write_text(RULES.replace("cost: 2", "cost: 2, end: 2026-05-01") + scope_rule)
        answer = ratekit("hashmap", "plan", str(file))
        assert answer.code == 2
        assert "instance: 2 recent usages" in answer.err
        assert "of scope b2, would cost nothing from 2026-04-01T00:00:00Z" in answer.err

    def test_a_retroactive_change_is_checked_for_the_past(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        file.write_text(RULES.replace("cost: 2", "cost: 0"))
        argv = ("--retroactive", "--at", "2026-03-01T01:00", str(file))
        answer = ratekit("hashmap", "plan", *argv)
        assert answer.code == 2
        assert "would cost nothing from 2026-03-01T01:00:00Z" in answer.err


class TestScopes:
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    @pytest.mark.parametrize(
        ("scope", "words"),
        [
            (
                "name of b",
                "no scope has the id 'name of b' (did you mean 'name of b2'?); "
                "rules for it never match",
            ),
            ("name of b2", "'name of b2' is a name; write its id, 'b2' (names never match)"),
            ("c3", "no scope has the id 'c3'; rules for it never match"),
        ],
    )
    def test_a_rule_for_an_unknown_scope_is_refused(
        self,
        ratekit: Shell,
        file: pathlib.Path,
        storage: Storage,
        applied_rules: None,
        command: tuple[str, ...],
        scope: str,
        words: str,
    ) -> None:
        scope_rule = SMALL.replace("cost: 2", f"cost: 1, scope: {scope}")
        file.write_text(RULES + scope_rule + scope_rule.replace("m1.small", "m1.big"))
        answer = ratekit("hashmap", *command, str(file))
        line = f"{file}:10: services.instance.fields.flavor_name.mappings[2].scope: {words}"
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == f"ratekit: {line}; use --allow-unknown to accept them\n"
        assert storage.rules.read().version == 1
        answer = ratekit("hashmap", *command, "--allow-unknown", str(file))
        assert (answer.code, answer.err) == (0, f"ratekit: warning: {line}\n")

    def test_an_existing_rule_for_an_unknown_scope_is_a_warning(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        stray = RULES + SMALL.replace("cost: 2", "cost: 1, scope: c3")
        file.write_text(stray)
        assert ratekit("hashmap", "apply", "--yes", "--allow-unknown", str(file)).code == 0
        file.write_text(stray + SMALL.replace("cost: 2", "cost: 1, scope: a1"))
        answer = ratekit("hashmap", "apply", "--yes", str(file))
        assert answer.code == 0
        assert "no scope has the id 'c3'" in answer.err

    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_a_label_that_has_a_name_for_an_id_is_a_warning(
        self, ratekit: Shell, file: pathlib.Path, usage: None, command: tuple[str, ...]
    ) -> None:
        file.write_text(
            RULES.replace("flavor_name", "project_id").replace("m1.small", "name of a1")
        )
        answer = ratekit("hashmap", *command, "--allow-unknown", "--allow-free", str(file))
        assert answer.code == 0
        assert (
            "project_id.mappings[0].value: 'name of a1' is a name; write its id, 'a1'" in answer.err
        )

    def test_without_scopes_no_scope_is_refused(self, ratekit: Shell, file: pathlib.Path) -> None:
        file.write_text(RULES.replace("cost: 2", "cost: 2, scope: c3"))
        answer = ratekit("hashmap", "apply", "--yes", str(file))
        assert (answer.code, answer.err) == (0, "")


def test_metrics_without_rules_are_one_warning(ratekit: Shell, file: pathlib.Path) -> None:
    metrics = file.with_name("metrics.yml")
    names = ("vm", "instance", "cpu", "volume")
    entries = [
        f"  {name}: {{unit: s, metadata: [flavor_name], extra_args: {{}}}}" for name in names
    ]
    metrics.write_text("metrics:\n" + "\n".join(entries) + "\n")
    # The check first, before anything is applied: it says the same.
    for command in (("check",), *COMMANDS):
        answer = ratekit("hashmap", *command, str(file))
        assert (answer.code, answer.err) == (
            0,
            f"ratekit: warning: {metrics}: no rule prices vm, cpu: their usage is stored at price "
            "0\n",
        )
