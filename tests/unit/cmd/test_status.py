"""ratekit status: whether all is rated, for people, scripts and Prometheus."""

from __future__ import annotations

import datetime
import pathlib
import stat
from decimal import Decimal
from typing import Any

import pytest

from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.monitoring import ProcessorRecord
from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell, configure

MINUTE = datetime.timedelta(minutes=1)
PROCESSOR = "host, worker 1 of 1"
#: The period from 0:00 to 1:00 is the newest that is due.
DUE = given.hour(2.1)


@pytest.fixture
def rated(storage: Storage, ratekit: Shell) -> None:
    """Two scopes that are rated until 1:00, with priced usage, and a processor."""
    rule = MappingRule(
        RuleTarget("instance", "flavor_name"), "m1", Terms(Decimal("0.1"), CostType.FLAT)
    )
    storage.rules.change(0, [], [rule], given.note())
    states = given.list_scopes(storage, "a1", "b2", now=given.hour(2))
    usage = given.build_series("a1", [("1", "0.1")], metadata={"flavor_name": "m1"})
    storage.ledger.commit(given.batch(states, usage, rules=1))
    storage.monitoring.record(ProcessorRecord(PROCESSOR, given.START, given.hour(2), given.hour(3)))
    ratekit.now = DUE


def read(ratekit: Shell, code: int) -> Any:
    """Return the fields of a status with this exit code."""
    answer = ratekit("status", "-f", "json")
    assert (answer.code, answer.err) == (code, "")
    return answer.json()


def read_problem(ratekit: Shell, hour: float) -> Any:
    """Return the only problem at this hour."""
    ratekit.now = given.hour(hour)
    [problem] = read(ratekit, 1)["Problems"]
    return problem


def issue(kind: str, count: int, subject: str, reason: str, since: str | None, remedy: str) -> Any:
    """Return an issue as scripts see it."""
    return {
        "kind": kind,
        "count": count,
        "subject": subject,
        "reason": reason,
        "since": since,
        "remedy": remedy,
    }


@pytest.mark.usefixtures("rated")
class TestWell:
    def test_all_is_rated(self, ratekit: Shell) -> None:
        assert read(ratekit, 0) == {
            "Verdict": "well",
            "Rated until": "2026-03-01T01:00:00Z",
            "Due until": "2026-03-01T01:00:00Z",
            "Lag": 0,
            "Scopes": {"active": 2, "late": 0, "failing": 0, "inactive": 0, "deactivated": 0},
            "Problems": [],
            "Notes": [],
            "Open tasks": 0,
            "Processors": [
                {
                    "name": PROCESSOR,
                    "state": "waiting",
                    "started_at": "2026-03-01T00:00:00Z",
                    "seen_at": "2026-03-01T02:00:00Z",
                    "next_cycle": "2026-03-01T03:00:00Z",
                }
            ],
        }

    def test_people_see_one_screen(self, ratekit: Shell) -> None:
        ratekit.width = 80
        lines = ratekit("status").out.splitlines()
        assert len(lines) <= 24
        assert max(map(len, lines)) <= 80
        assert any("well: all that is due is rated" in line for line in lines)

    def test_neither_keystone_nor_gnocchi_is_needed(
        self, ratekit: Shell, config: pathlib.Path
    ) -> None:
        configure(config, "fetcher", "backend = keystone")
        configure(config, "keystone_authtoken", "auth_url = http://127.0.0.1:1")
        assert ratekit("status").code == 0

    def test_what_a_cycle_may_take_is_not_late(self, ratekit: Shell) -> None:
        ratekit.now = given.hour(3) + 14 * MINUTE
        status = read(ratekit, 0)
        assert (status["Lag"], status["Problems"]) == (3600, [])

    def test_deactivated_scopes_are_counted(self, ratekit: Shell, storage: Storage) -> None:
        storage.scopes.deactivate("b2", given.hour(2))
        ratekit.now = given.hour(2.2)
        scopes = read(ratekit, 0)["Scopes"]
        assert (scopes["active"], scopes["deactivated"]) == (1, 1)


@pytest.mark.usefixtures("rated")
class TestProblems:
    def test_late_scopes_are_named_with_the_time_since_when(self, ratekit: Shell) -> None:
        ratekit.now = given.hour(5)
        status = read(ratekit, 1)
        assert status["Verdict"] == "failing"
        assert status["Problems"][0] == issue(
            "late",
            2,
            "2 scopes (name of a1, name of b2)",
            "processors have not rated them",
            "2026-03-01T03:00:00Z",
            "see systemctl status ratekit-processor and its log",
        )
        assert status["Problems"][1]["subject"] == PROCESSOR
        assert status["Problems"][1]["reason"] == "it was last seen at 2026-03-01T02:00:00Z"
        assert status["Processors"][0]["state"] == "missing"

    def test_a_scope_that_the_fetcher_no_longer_lists_is_due_up_to_its_last_list(
        self, ratekit: Shell, storage: Storage
    ) -> None:
        states = given.list_scopes(storage, "a1", now=given.hour(10))
        work = given.batch(states, periods=given.window(7, given.hour(1)), rules=1)
        storage.ledger.commit(work)
        ratekit.now = given.hour(10.5)
        status = read(ratekit, 1)
        # Last listed at 2:00, and rated until 1:00.
        assert (status["Due until"], status["Lag"]) == ("2026-03-01T09:00:00Z", 2 * 3600)
        assert status["Problems"][0]["subject"] == "2 scopes (name of a1, name of b2)"

    def test_its_lag_is_the_largest_of_the_list(self, ratekit: Shell, storage: Storage) -> None:
        given.list_scopes(storage, "a1", now=given.hour(10))
        ratekit.now = given.hour(10.5)
        lags = {row["Scope"]: row["Lag"] for row in ratekit("scope", "list", "-f", "json").json()}
        # The fetcher last listed b2 at 2:00, so that nothing after 3:00 is due.
        assert lags == {"a1": 8 * 3600, "b2": 2 * 3600}
        shown = ratekit("scope", "show", "b2", "-f", "json").json()
        assert (shown["Lag"], read(ratekit, 1)["Lag"]) == (lags["b2"], max(lags.values()))

    def test_late_scopes_without_a_processor(self, ratekit: Shell, storage: Storage) -> None:
        storage.monitoring.remove(PROCESSOR)
        problem = read_problem(ratekit, 5)
        assert (problem["reason"], problem["remedy"]) == (
            "no processor is running",
            "start ratekit-processor",
        )
        assert "none is running" in ratekit("status").out

    def test_scopes_that_a_long_cycle_has_not_reached(
        self, ratekit: Shell, storage: Storage
    ) -> None:
        storage.monitoring.record(ProcessorRecord(PROCESSOR, given.START, given.hour(4)))
        problem = read_problem(ratekit, 5)
        assert problem["reason"] == "a cycle is running, last seen at 2026-03-01T04:00:00Z"

    def test_failing_scopes_are_grouped_by_their_error(
        self, ratekit: Shell, storage: Storage
    ) -> None:
        states = given.list_scopes(storage, "a1", "b2", now=given.hour(3))
        storage.ledger.postpone(states, "Gnocchi \x1b[31m refused", given.hour(4))
        ratekit.now = given.hour(3.1)
        assert read(ratekit, 1)["Problems"] == [
            issue(
                "failing",
                2,
                "2 scopes (name of a1, name of b2)",
                "Gnocchi \x1b[31m refused",
                "2026-03-01T03:00:00Z",
                "",
            )
        ]
        assert "Gnocchi \\x1b[31m refused" in ratekit("status").out

    def test_a_state_in_the_future_has_no_time_since_when(
        self, ratekit: Shell, storage: Storage
    ) -> None:
        states = given.list_scopes(storage, "a1", "b2", now=given.hour(2))
        storage.ledger.postpone(states, "rated until a time in the future", given.hour(4))
        problem = read_problem(ratekit, 0.5)
        assert (problem["kind"], problem["since"]) == ("failing", None)

    def test_a_processor_that_fails_as_a_whole_says_why(
        self, ratekit: Shell, storage: Storage
    ) -> None:
        error = "the clock of this host is 5 h ahead"
        storage.monitoring.record(
            ProcessorRecord("host", given.START, given.hour(2), given.hour(3), error, given.START)
        )
        assert read(ratekit, 1)["Problems"] == [
            issue("processor", 1, "host", error, "2026-03-01T00:00:00Z", "")
        ]

    def test_excluded_resources_are_counted_with_the_remedy(
        self, ratekit: Shell, storage: Storage
    ) -> None:
        exclusion = Exclusion("a1", "instance", "r1", "its archive policy is 'low'", "replace it")
        states = given.list_scopes(storage, "a1", "b2", now=given.hour(3))
        storage.ledger.commit(
            given.batch(
                states, periods=given.window(1, given.hour(1)), rules=1, exclusions=[exclusion]
            )
        )
        assert read(ratekit, 1)["Problems"] == [
            issue(
                "excluded",
                1,
                "1 resource of instance in 1 scope",
                "its archive policy is 'low'",
                "2026-03-01T01:00:00Z",
                "replace it",
            )
        ]

    def test_failing_tasks_are_named(self, ratekit: Shell, storage: Storage) -> None:
        order = Order(Scope("a1"), given.hour(0), given.hour(1), given.HOUR, TaskKind.COLLECT)
        [task_id] = storage.tasks.add([order], TaskNote("late measures", "ann", given.hour(2)))
        assert read(ratekit, 0)["Open tasks"] == 1
        [task] = storage.task_ledger.open_tasks(None)
        storage.task_ledger.postpone(task, "Gnocchi answered 500", given.hour(3))
        assert read(ratekit, 1)["Problems"] == [
            issue(
                "task",
                1,
                f"1 task ({task_id})",
                "Gnocchi answered 500",
                "2026-03-01T02:00:00Z",
                f"see ratekit reprocess show {task_id}",
            )
        ]


def test_scopes_that_wait_for_rules_say_how_to_go_on(ratekit: Shell, storage: Storage) -> None:
    given.list_scopes(storage, "a1", now=given.hour(5))
    problem = read_problem(ratekit, 5)
    assert problem["reason"] == "there are no price rules, so nothing is rated"
    assert problem["remedy"].startswith("add some with ratekit hashmap apply FILE")


@pytest.mark.usefixtures("rated")
class TestNotes:
    def rate(self, storage: Storage, flavor: str, *metrics: str) -> None:
        """Rate a usage of each metric at price 0."""
        states = given.list_scopes(storage, "a1", "b2", now=given.hour(3))
        usages = [
            given.build_series(
                "a1",
                [("1", "0")],
                metric=metric,
                begin=given.hour(1),
                metadata={"flavor_name": flavor, "id": "r1"},
            )
            for metric in metrics
        ]
        periods = given.window(1, given.hour(1))
        version = storage.rules.read().version
        storage.ledger.commit(given.batch(states, *usages, periods=periods, rules=version))

    def test_metrics_without_a_rule_are_one_line(self, ratekit: Shell, storage: Storage) -> None:
        self.rate(storage, "m1", "volume", "image")
        assert read(ratekit, 0)["Notes"] == [
            issue(
                "unpriced",
                2,
                "2 usages of image, volume at 2026-03-01T01:00:00Z",
                "no rule prices them",
                None,
                "add rules: see ratekit hashmap plan",
            )
        ]

    def test_usage_that_no_rule_of_the_metric_matches(
        self, ratekit: Shell, storage: Storage
    ) -> None:
        self.rate(storage, "m2", "instance")
        [note] = read(ratekit, 0)["Notes"]
        assert note["reason"] == "no rule matches, for example flavor_name=m2, scope a1"

    def test_usage_that_a_rule_makes_free_is_no_note(
        self, ratekit: Shell, storage: Storage
    ) -> None:
        target = RuleTarget("instance", "flavor_name")
        rule = MappingRule(target, "free", Terms(Decimal(0), CostType.FLAT))
        storage.rules.change(1, [], [rule], given.note())
        self.rate(storage, "free", "instance")
        assert read(ratekit, 0)["Notes"] == []

    def test_a_metric_whose_usage_has_stopped(self, ratekit: Shell, storage: Storage) -> None:
        states = given.list_scopes(storage, "a1", "b2", now=given.hour(4))
        storage.ledger.commit(given.batch(states, periods=given.window(2, given.hour(1)), rules=1))
        ratekit.now = given.hour(3.1)
        assert read(ratekit, 0)["Notes"] == [
            issue(
                "silent",
                1,
                "instance",
                "no usage in any scope; it stopped in 1 scope",
                "2026-03-01T01:00:00Z",
                "see ratekit metric check",
            )
        ]


class TestUnknown:
    def test_without_any_scope_it_cannot_tell(self, ratekit: Shell) -> None:
        assert read(ratekit, 2)["Verdict"] == "unknown"
        assert "no scope has been listed yet" in ratekit("status").out

    def test_a_database_that_does_not_answer(self, ratekit: Shell, config: pathlib.Path) -> None:
        config.write_text("[database]\nconnection = postgresql://u:secret@127.0.0.1:1/ratekit\n")
        answer = ratekit("status")
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith("ratekit: ")
        assert "secret" not in answer.err


class TestPrometheus:
    def samples(self, path: pathlib.Path) -> dict[str, str]:
        """Return the samples of a file."""
        lines = path.read_text().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    def test_the_file_has_the_same_as_the_command(
        self, ratekit: Shell, rated: None, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / "ratekit.prom"
        path.write_text("old")
        ratekit.now = given.hour(5)
        answer = ratekit("status", "--prometheus", str(path))
        assert (answer.code, answer.out, answer.err) == (1, "", "")
        samples = self.samples(path)
        assert samples["ratekit_status"] == "1"
        assert samples['ratekit_problems{kind="late"}'] == "2"
        assert samples['ratekit_scopes{state="active"}'] == "2"
        assert samples["ratekit_lag_seconds"] == "7200"
        assert samples[f'ratekit_processor_up{{processor="{PROCESSOR}"}}'] == "0"
        begin = int(given.hour(1).timestamp())
        assert samples["ratekit_rated_until_timestamp_seconds"] == str(begin)
        names = {line.split()[2] for line in path.read_text().splitlines() if line[:6] == "# TYPE"}
        assert names == {name.partition("{")[0] for name in samples}

    def test_the_file_is_replaced_and_others_can_read_it(
        self, ratekit: Shell, rated: None, tmp_path: pathlib.Path
    ) -> None:
        folder = tmp_path / "textfile"
        folder.mkdir()
        path = folder / "ratekit.prom"
        path.write_text("old")
        reader = path.open()
        assert ratekit("status", "--prometheus", str(path)).code == 0
        with reader:
            assert reader.read() == "old"
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert [entry.name for entry in folder.iterdir()] == ["ratekit.prom"]

    def test_names_of_processors_are_escaped(
        self, ratekit: Shell, storage: Storage, rated: None, tmp_path: pathlib.Path
    ) -> None:
        storage.monitoring.record(ProcessorRecord('a"b\\c\nd', given.START, given.hour(2)))
        path = tmp_path / "ratekit.prom"
        ratekit("status", "--prometheus", str(path))
        assert 'ratekit_processor_up{processor="a\\"b\\\\c\\nd"} 1\n' in path.read_text()

    def test_a_file_that_cannot_be_written_is_one_line(
        self, ratekit: Shell, rated: None, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / "missing" / "ratekit.prom"
        answer = ratekit("status", "--prometheus", str(path))
        assert answer.code == 2
        assert answer.err == (
            f"ratekit: --prometheus: cannot write {path}: No such file or directory\n"
        )

    def test_a_state_that_cannot_be_read_is_written_too(
        self, ratekit: Shell, config: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        config.write_text("[database]\nconnection = postgresql://u@127.0.0.1:1/ratekit\n")
        path = tmp_path / "ratekit.prom"
        assert ratekit("status", "--prometheus", str(path)).code == 2
        assert self.samples(path).keys() == {
            "ratekit_status",
            "ratekit_status_timestamp_seconds",
        }
