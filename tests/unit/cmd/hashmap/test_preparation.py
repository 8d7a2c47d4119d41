"""ratekit hashmap plan, and the times of a change."""

from __future__ import annotations

import pathlib
from decimal import Decimal

import pytest

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell, Terminal


def rules(small: str = "0.02", *entries: str) -> str:
    """Return a rule file."""
    mappings = [f"{{value: m1.small, cost: {small}, type: flat}}", *entries]
    return (
        "services:\n"
        "  volume: {mappings: [{cost: 1, type: flat}]}\n"
        "  instance:\n    fields:\n      flavor_name:\n        mappings:\n"
    ) + "".join(f"          - {mapping}\n" for mapping in mappings)


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    """A rule file."""
    path = tmp_path / "hashmap.yml"
    path.write_text(rules())
    return path


@pytest.fixture
def applied_rules(ratekit: Shell, file: pathlib.Path, storage: Storage) -> None:
    """The file was applied, and then three hours of two scopes were rated by it."""
    assert ratekit("hashmap", "apply", "--yes", str(file)).code == 0
    states = given.list_scopes(storage, "a1", "b2")
    label = {"flavor_name": "m1.small"}
    storage.ledger.commit(
        given.batch(
            states,
            given.build_series("a1", [("1", "0.02"), ("2", "0.04"), ("1", "0.02")], metadata=label),
            given.build_series(
                "b2", [("1", "0"), ("1", "0"), ("1", "0")], metadata={"flavor_name": "x"}
            ),
            given.build_series("b2", [("10", "10"), ("10", "10"), ("10", "10")], metric="volume"),
            periods=given.window(3),
            rules=1,
        )
    )


def test_a_plan_is_what_apply_shows_and_changes_nothing(
    ratekit: Shell, file: pathlib.Path, storage: Storage, applied_rules: None
) -> None:
    file.write_text(rules("0.03", "{value: m1.big, cost: 1, type: flat}"))
    answer = ratekit("hashmap", "plan", str(file))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "prices change from 2026-03-02T13:00:00Z:",
        "- instance.flavor_name=m1.small flat 0.02 until 2026-03-02T13:00:00Z",
        "+ instance.flavor_name=m1.small flat 0.03 from 2026-03-02T13:00:00Z",
        "+ instance.flavor_name=m1.big flat 1 from 2026-03-02T13:00:00Z",
        "  1 rule unchanged",
    ]
    assert storage.rules.read().version == 1
    every = ratekit("hashmap", "plan", "--all", str(file)).out
    assert every == answer.out + "  volume flat 1\n"
    assert ratekit("hashmap", "apply", "--yes", str(file)).out.startswith(answer.out)


def test_plan_apply_export_plan_is_empty(
    ratekit: Shell, file: pathlib.Path, applied_rules: None
) -> None:
    file.write_text(rules("0.03"))
    assert ratekit("hashmap", "plan", "--exit-code", str(file)).code == 3
    assert ratekit("hashmap", "apply", "--yes", str(file)).code == 0
    copy = file.with_name("copy.yml")
    assert ratekit("hashmap", "export", str(copy)).code == 0
    for path in (copy, file):
        answer = ratekit("hashmap", "plan", "--exit-code", str(path))
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.startswith("nothing to do: ")


class TestTimes:
    def test_a_change_may_wait(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        file.write_text(rules("0.03"))
        answer = ratekit("hashmap", "apply", "--yes", "--at", "2026-04-01", str(file))
        assert answer.out.splitlines()[:3] == [
            "prices change from 2026-04-01T00:00:00Z:",
            "- instance.flavor_name=m1.small flat 0.02 until 2026-04-01T00:00:00Z",
            "+ instance.flavor_name=m1.small flat 0.03 from 2026-04-01T00:00:00Z",
        ]
        copy = file.with_name("copy.yml")
        assert ratekit("hashmap", "export", str(copy)).code == 0
        assert ratekit("hashmap", "plan", str(copy)).out.startswith("nothing to do")

    @pytest.mark.parametrize(
        ("options", "line"),
        [
            (
                ["--at", "2026-04-01T00:40"],
                "no period of 1 h starts at 2026-04-01T00:40:00Z; the nearest start at "
                "2026-04-01T00:00:00Z and 2026-04-01T01:00:00Z",
            ),
            (
                ["--at", "2026-04-01T02:30+02:00", "--retroactive"],
                "no period of 1 h starts at 2026-04-01T00:30:00Z; the nearest start at "
                "2026-04-01T00:00:00Z and 2026-04-01T01:00:00Z",
            ),
            (
                ["--at", "2026-03-02T12:00"],
                "a change from 2026-03-02T12:00:00Z may affect rated periods: choose "
                "2026-03-02T13:00:00Z or a later time, or use --retroactive",
            ),
            (["--at", "9999-12-31"], "--at: '9999-12-31' is too far in the future"),
            (
                ["--at", "soon"],
                "--at: expected a date or time such as 2026-01-31, 2026-01-31T12:00, 2026-01, "
                "yesterday or -7d, not 'soon'",
            ),
        ],
    )
    def test_a_wrong_time_is_one_line_and_2(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None, options: list[str], line: str
    ) -> None:
        for command in (["plan"], ["apply", "--yes"]):
            answer = ratekit("hashmap", *command, *options, str(file))
            assert (answer.code, answer.out, answer.err) == (2, "", f"ratekit: {line}\n")

    def test_while_nothing_is_rated_a_time_is_when_new_rules_begin(
        self, ratekit: Shell, file: pathlib.Path
    ) -> None:
        answer = ratekit("hashmap", "apply", "--yes", "--at", "2026-01-01", str(file))
        assert "+ volume flat 1 from 2026-01-01T00:00:00Z" in answer.out.splitlines()

    def test_a_retroactive_change_names_the_charges_that_it_does_not_change(
        self, ratekit: Shell, file: pathlib.Path, storage: Storage, applied_rules: None
    ) -> None:
        file.write_text(rules("0.03"))
        argv = ["--retroactive", "--at", "2026-03-01T01:00", str(file)]
        planned = ratekit("hashmap", "plan", *argv)
        assert planned.out.splitlines() == [
            "prices change from 2026-03-01T01:00:00Z:",
            "- instance.flavor_name=m1.small flat 0.02 until 2026-03-01T01:00:00Z",
            "+ instance.flavor_name=m1.small flat 0.03 from 2026-03-01T01:00:00Z",
            "  1 rule unchanged",
            "2026-03-01T01:00:00Z to 2026-03-01T03:00:00Z: up to 4 frames of 2 scopes were charged "
            "by the previous rules",
            "they keep their prices until you run: ratekit reprocess --rates-only --all-scopes "
            "--begin 2026-03-01T01:00:00Z --end 2026-03-01T03:00:00Z --reason REASON",
        ]
        answer = ratekit("hashmap", "apply", "--yes", *argv)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.splitlines() == [
            *planned.out.splitlines()[:-1],
            "done: 1 added, 1 closed; the rules are at version 2",
            *planned.out.splitlines()[-2:],
        ]
        assert storage.rules.records()[0].retroactive
        copy = file.with_name("copy.yml")
        assert ratekit("hashmap", "export", str(copy)).code == 0
        for path in (copy, file):
            assert ratekit("hashmap", "plan", str(path)).out.startswith("nothing to do")

    def test_a_retroactive_change_for_one_scope_is_reprocessed_for_that_one(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        entry = "{value: m1.small, cost: 0, type: flat, scope: a1, start: 2026-03-01, end: %s}"
        file.write_text(rules("0.02", entry % "2026-03-01T02:00"))
        answer = ratekit("hashmap", "plan", "--retroactive", "--allow-free", str(file))
        assert answer.out.splitlines()[-2:] == [
            "2026-03-01T00:00:00Z to 2026-03-01T02:00:00Z: up to 2 frames of 1 scope were charged "
            "by the previous rules",
            "they keep their prices until you run: ratekit reprocess --rates-only --scope a1 "
            "--begin 2026-03-01T00:00:00Z --end 2026-03-01T02:00:00Z --reason REASON",
        ]

    def test_periods_rated_before_the_answer_are_in_the_command_to_reprocess(
        self, ratekit: Shell, file: pathlib.Path, storage: Storage, applied_rules: None
    ) -> None:
        class Slow(Terminal):
            """A terminal whose user answers after a processor has rated two more hours."""

            def isatty(self) -> bool:
                """Return True; the plan has been shown."""
                begin = given.hour(3)
                small = {"flavor_name": "m1.small"}
                series = given.build_series("a1", [("1", "0.02")] * 2, begin=begin, metadata=small)
                periods = given.window(2, begin)
                (state,) = given.list_scopes(storage, "a1")
                storage.ledger.commit(given.batch([state], series, periods=periods, rules=1))
                return True

        file.write_text(rules("0.03"))
        argv = ["--retroactive", "--at", "2026-03-01T01:00", str(file)]
        answer = ratekit("hashmap", "apply", *argv, stdin=Slow("y\n"))
        assert (answer.code, answer.err) == (0, "")
        before, _, after = answer.out.partition("done: ")
        assert "to 2026-03-01T03:00:00Z: up to 4 frames" in before
        assert "ratekit reprocess" not in before
        assert "2026-03-01T01:00:00Z to 2026-03-01T05:00:00Z: up to 6 frames of 2 scopes" in after
        assert "--begin 2026-03-01T01:00:00Z --end 2026-03-01T05:00:00Z --reason REASON" in after

    def test_a_time_inside_a_period_is_a_warning(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        entry = "{value: x, cost: 5, type: flat, start: 2026-04-01T10:40, end: 2026-04-02T00:00:01}"
        forever = "{value: y, cost: 5, type: flat, start: 2026-04-01, end: 9999-12-31T23:59:59Z}"
        file.write_text(rules("0.02", entry, forever))
        place = f"ratekit: warning: {file}:8: services.instance.fields.flavor_name.mappings[1]"
        for command in (["plan"], ["apply", "--yes"]):
            answer = ratekit("hashmap", *command, str(file))
            assert answer.code == 0
            start, end = answer.err.splitlines()
            assert start.startswith(f"{place}.start: ")
            assert start.endswith(" from 2026-04-01T11:00:00Z")
            assert end.startswith(f"{place}.end: ")
            assert end.endswith(" until 2026-04-02T01:00:00Z")

    def test_a_change_of_no_rated_period_is_not_retroactive(
        self, ratekit: Shell, file: pathlib.Path, storage: Storage, applied_rules: None
    ) -> None:
        file.write_text(rules("0.03"))
        answer = ratekit("hashmap", "apply", "--yes", "--retroactive", str(file))
        assert answer.code == 0
        assert "charged by the previous rules" not in answer.out
        assert not storage.rules.records()[0].retroactive


class TestSince:
    def test_it_says_what_the_change_would_have_cost(
        self, ratekit: Shell, file: pathlib.Path, storage: Storage, applied_rules: None
    ) -> None:
        file.write_text(rules("0.03"))
        answer = ratekit("hashmap", "plan", "--since", "2026-03-01T01:00", str(file))
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.splitlines()[:1] == ["prices change from 2026-03-02T13:00:00Z:"]
        _, _, what_if = answer.out.partition("\n\n")
        assert what_if.splitlines() == [
            "with these rules since 2026-03-01T01:00:00Z:",
            "+------------+----------+--------+-------+-----------+------------+",
            "| Scope      | Metric   | Frames | Price | New price | Difference |",
            "+------------+----------+--------+-------+-----------+------------+",
            "| name of a1 | instance |      2 |  0.06 |      0.09 |       0.03 |",
            "+------------+----------+--------+-------+-----------+------------+",
            "Total: 6 frames, price 20.06 now, 20.09 with these rules, difference 0.03; nothing "
            "was changed",
        ]
        assert storage.rules.read().version == 1

    def test_it_says_what_it_lacks_because_it_was_purged(
        self, ratekit: Shell, file: pathlib.Path, storage: Storage, applied_rules: None
    ) -> None:
        file.write_text(rules("0.03"))
        storage.purge.start(given.hour(1), totals=False)
        for form in ("text", "json"):
            argv = ("hashmap", "plan", str(file), "-f", form, "--since")
            assert ratekit(*argv, "2026-03-01").err == (
                "ratekit: what was rated before 2026-03-01T01:00:00Z was purged; this report may "
                "lack it\n"
            )
            assert ratekit(*argv, "2026-03-01T01:00").err == ""

    def test_machines_get_all_sums(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        file.write_text(rules("0.01"))
        answer = ratekit("hashmap", "plan", "-f", "json", "--since", "2026-03-01", str(file))
        assert answer.json() == {
            "from": "2026-03-02T13:00:00Z",
            "retroactive": False,
            "changes": [
                {
                    "change": "close",
                    "rule": "instance.flavor_name=m1.small flat 0.02 until 2026-03-02T13:00:00Z",
                },
                {
                    "change": "add",
                    "rule": "instance.flavor_name=m1.small flat 0.01 from 2026-03-02T13:00:00Z",
                },
            ],
            "kept": 1,
            "scheduled": [],
            "brought_forward": [],
            "charged": None,
            "rated_without_rules": None,
            "warnings": [],
            "what_if": [
                {
                    "scope": scope,
                    "metric": metric,
                    "frames": 3,
                    "price": price,
                    "new_price": new,
                    "difference": difference,
                }
                for scope, metric, price, new, difference in (
                    ("a1", "instance", "0.08", "0.04", "-0.04"),
                    ("b2", "instance", "0", "0", "0"),
                    ("b2", "volume", "30", "30", "0"),
                )
            ],
        }

    def test_it_is_what_a_retroactive_change_leads_to(
        self, ratekit: Shell, file: pathlib.Path, storage: Storage, applied_rules: None
    ) -> None:
        file.write_text(rules("0.03", "{value: x, cost: 5, type: flat, start: 2026-03-01T02:00}"))
        since = "2026-03-01T01:00"
        argv = ("-f", "json", "--retroactive", "--since", since, str(file))
        before = ratekit("hashmap", "plan", *argv).json()["what_if"]
        applied = ratekit("hashmap", "apply", "--yes", "--retroactive", "--at", since, str(file))
        assert applied.code == 0
        after = ratekit("hashmap", "plan", *argv).json()
        assert after["changes"] == []
        assert after["what_if"] == before
        assert [Decimal(row["new_price"]) for row in before] == [Decimal("0.09"), 5, 20]

    def test_it_is_what_reprocessing_the_rates_would_change(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        metrics = (
            "metrics:\n  instance: {unit: instance, metadata: [flavor_name], extra_args: %s}\n"
        )
        file.with_name("metrics.yml").write_text(metrics % "{resource_type: instance}")
        file.write_text(rules("0.0333333333333333333333333333"))
        argv = ("--at", "2026-03-01", "--retroactive", str(file))
        planned = ratekit("hashmap", "plan", "-f", "json", "--since", "2026-03-01", *argv)
        assert ratekit("hashmap", "apply", "--yes", *argv).code == 0
        stretch = ("--begin", "2026-03-01", "--end", "2026-03-01T03:00")
        options = ("--rates-only", "--dry-run", "--all-scopes", "-f", "json")
        answer = ratekit("reprocess", *options, *stretch)
        assert [
            (row["Scope"], row["Metric"], row["Price"], row["New price"], row["Difference"])
            for row in answer.json()
        ] == [
            (row["scope"], row["metric"], row["price"], row["new_price"], row["difference"])
            for row in planned.json()["what_if"]
        ]

    def test_another_time_in_the_file_wins(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None
    ) -> None:
        file.write_text(rules("0.02", "{value: x, cost: 5, type: flat, start: 2026-04-01}"))
        answer = ratekit("hashmap", "plan", "--since", "2026-03-01", str(file))
        assert answer.out.splitlines()[-1] == (
            "Total: 9 frames, price 30.08 now, 30.08 with these rules, difference 0; nothing was "
            "changed"
        )

    @pytest.mark.parametrize(
        ("since", "line"),
        [
            (
                "2026-03-01T00:30",
                "no period of 1 h starts at 2026-03-01T00:30:00Z; the nearest start at "
                "2026-03-01T00:00:00Z and 2026-03-01T01:00:00Z",
            ),
            (
                "March",
                "--since: expected a date or time such as 2026-01-31, 2026-01-31T12:00, 2026-01, "
                "yesterday or -7d, not 'March'",
            ),
        ],
    )
    def test_a_wrong_time_is_a_line(
        self, ratekit: Shell, file: pathlib.Path, applied_rules: None, since: str, line: str
    ) -> None:
        answer = ratekit("hashmap", "plan", "--since", since, str(file))
        assert (answer.code, answer.out, answer.err) == (2, "", f"ratekit: {line}\n")


def test_frames_are_counted_once_however_many_rules_change(
    ratekit: Shell, file: pathlib.Path, applied_rules: None
) -> None:
    file.write_text(rules("0.03", "{value: m1.small, cost: 0.01, type: flat, scope: a1}"))
    answer = ratekit("hashmap", "plan", "--retroactive", "--at", "2026-03-01", str(file))
    assert ": up to 6 frames of 2 scopes were charged" in answer.out


@pytest.mark.parametrize("option", ["--at", "--since"])
def test_a_time_before_all_periods_is_one_line(
    option: str, ratekit: Shell, file: pathlib.Path, applied_rules: None
) -> None:
    ratekit.config.write_text(ratekit.config.read_text() + "period = 604800\n")
    answer = ratekit("hashmap", "plan", option, "0001-01-01", str(file))
    assert answer.code == 2
    assert "0001-01-01T00:00:00Z is too far in the past or future" in answer.err
