"""ratekit reprocess: queue, dry run, list, show, cancel."""

from __future__ import annotations

import pathlib
from decimal import Decimal

import pytest

from ratekit.domain.reprocessing.task import RepricedWindow, TaskKind, TaskState
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

STRETCH = ("--begin", "2026-03-01T00:00", "--end", "2026-03-01T02:00")
WHY = ("--reason", "wrong  price", "--yes")
METRICS = """metrics:
  cpu:
    unit: instance
    alt_name: instance
    groupby: [id, project_id]
    extra_args: {resource_type: instance}
"""


@pytest.fixture
def metrics(config: pathlib.Path) -> None:
    """A metrics.yml beside the configuration."""
    config.with_name("metrics.yml").write_text(METRICS)


def raise_price(storage: Storage) -> None:
    """Make each instance cost 3."""
    rule = MappingRule(RuleTarget("instance"), None, Terms(Decimal(3), CostType.FLAT))
    storage.rules.change(0, [], [rule], given.note())


def test_a_task_is_queued_for_each_scope(ratekit: Shell, storage: Storage, usage: None) -> None:
    answer = ratekit(
        "reprocess", "--scope", "a1", "--scope", "name of b2", *STRETCH, *WHY, "-f", "json"
    )
    assert answer.code == 0, answer.err
    ids = [row["Task"] for row in answer.json()]
    tasks = [task for task, _ in storage.tasks.tasks()]
    assert [task.id for task in tasks] == ids
    assert [task.order.scope.id for task in tasks] == ["a1", "b2"]
    assert {task.order.kind for task in tasks} == {TaskKind.COLLECT}
    assert {task.note.reason for task in tasks} == {"wrong price"}
    assert {task.note.made_at for task in tasks} == {ratekit.now}


def test_it_asks_for_confirmation(ratekit: Shell, storage: Storage, usage: None) -> None:
    arguments = ("reprocess", "--scope", "a1", *STRETCH, "--reason", "x", "--rates-only")
    answer = ratekit(*arguments, typed="n\n")
    assert (answer.code, answer.err) == (1, "ratekit: nothing was queued\n")
    assert "Price the stored usage of scope a1 again (2 periods)? [y/N]" in answer.out
    assert ratekit(*arguments).code == 2
    assert storage.tasks.tasks() == []
    assert ratekit(*arguments, typed="y\n").code == 0
    assert len(storage.tasks.tasks()) == 1


def test_all_scopes_are_queued_for_the_time_that_they_have_been_rated(
    ratekit: Shell, storage: Storage, usage: None
) -> None:
    given.list_scopes(storage, "a1", "b2", "never")
    answer = ratekit(
        "reprocess", "--all-scopes", "--begin", "2026-02-28", "--end", "2026-03-09", *WHY
    )
    assert answer.code == 0, answer.err
    orders = [task.order for task, _ in storage.tasks.tasks()]
    assert [(order.scope.id, order.begin, order.end) for order in orders] == [
        ("a1", given.hour(0), given.hour(2)),
        ("b2", given.hour(0), given.hour(2)),
    ]
    assert answer.err == (
        "ratekit: 2 scopes (a1, b2) were rated only from 2026-03-01T00:00:00Z to "
        "2026-03-01T02:00:00Z: the remaining time is skipped\n"
    )


def test_each_open_task_in_conflict_is_a_line(
    ratekit: Shell, storage: Storage, usage: None
) -> None:
    assert ratekit("reprocess", "--all-scopes", *STRETCH, *WHY).err == ""
    answer = ratekit("reprocess", "--all-scopes", *STRETCH, *WHY)
    assert answer.code == 2
    assert [line.partition(" from ")[0] for line in answer.err.splitlines()] == [
        "ratekit: task 1 is open for scope a1",
        "ratekit: task 2 is open for scope b2",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--scope", "zz", *STRETCH, *WHY), "no scope 'zz'"),
        (("--scope", "a1", *STRETCH, "--yes"), "--reason is required"),
        (("--scope", "a1", "--begin", "x", "--end", "2026-03-02", *WHY), "--begin: expected a"),
        (
            ("--scope", "a1", "--begin", "2026-03-01T00:30", "--end", "2026-03-01T02:00", *WHY),
            "no period of 1 h starts at 2026-03-01T00:30:00Z",
        ),
        (
            ("--scope", "a1", "--begin", "2026-03-01T02:00", "--end", "2026-03-01T01:00", *WHY),
            "begin 2026-03-01T02:00:00Z is not before end 2026-03-01T01:00:00Z",
        ),
        (
            ("--scope", "a1", "--begin", "2026-03-01T00:00", "--end", "2026-03-01T03:00", *WHY),
            "is rated only from 2026-03-01T00:00:00Z to 2026-03-01T02:00:00Z",
        ),
        (
            ("--scope", "a1", "--begin", "2026-02-28T23:00", "--end", "2026-03-01T02:00", *WHY),
            "is rated only from 2026-03-01T00:00:00Z to 2026-03-01T02:00:00Z",
        ),
        (
            ("--all-scopes", "--begin", "2026-02-01", "--end", "2026-02-02", *WHY),
            "no scope was rated in this time",
        ),
    ],
)
def test_a_request_that_cannot_be_reprocessed_is_one_line_and_2(
    arguments: tuple[str, ...], expected: str, ratekit: Shell, storage: Storage, usage: None
) -> None:
    answer = ratekit("reprocess", *arguments)
    assert answer.code == 2
    assert expected in answer.err
    assert answer.err.count("\n") == 1
    assert storage.tasks.tasks() == []


def test_either_scopes_or_all_scopes_must_be_given(ratekit: Shell, usage: None) -> None:
    for scopes in ((), ("--scope", "a1", "--all-scopes")):
        assert ratekit("reprocess", *scopes, *STRETCH, *WHY).code == 2


def test_a_part_of_a_longer_period_is_refused(
    ratekit: Shell, config: pathlib.Path, storage: Storage, usage: None
) -> None:
    text = config.read_text().replace("[collect]", "[collect]\nperiod = 1800")
    config.write_text(text)
    stretch = ("--begin", "2026-03-01T00:00", "--end", "2026-03-01T01:30")
    answer = ratekit("reprocess", "--scope", "a1", *stretch, *WHY)
    assert answer.code == 2
    assert "falls inside a period of the previous length (1 h)" in answer.err


def test_a_dry_run_shows_the_difference_and_changes_nothing(
    ratekit: Shell, storage: Storage, usage: None, metrics: None
) -> None:
    raise_price(storage)
    before = given.read_frames(storage)
    arguments = ("reprocess", "--all-scopes", *STRETCH, "--rates-only", "--dry-run")
    answer = ratekit(*arguments, "-f", "json")
    assert answer.code == 0, answer.err
    assert answer.json()[0] == {
        "Scope": "a1",
        "Name": "name of a1",
        "Metric": "instance",
        "Unit": "instance",
        "Frames": 2,
        "New frames": 2,
        "Quantity": "2",
        "New quantity": "2",
        "Price": "0.3",
        "New price": "6",
        "Difference": "5.7",
    }
    output = ratekit(*arguments).out
    assert (
        "after reprocessing, difference -12345678901234567883.3000000000000000000000000001"
        in output
    )
    assert given.read_frames(storage) == before
    assert storage.tasks.tasks() == []


def test_tasks_are_listed_shown_and_cancelled(
    ratekit: Shell, storage: Storage, usage: None
) -> None:
    ratekit("reprocess", "--scope", "a1", *STRETCH, *WHY)
    (task,) = storage.task_ledger.open_tasks(None)
    new = given.build_series("a1", [("1", "7")])
    storage.task_ledger.swap(
        task, RepricedWindow(given.window(), {}, [new], 0, ("instance",)), given.hour(36)
    )
    (row,) = ratekit("reprocess", "list", "-f", "json").json()
    assert (row["Task"], row["Periods"], row["Done"]) == (task.id, 2, 1)
    assert (row["Left unchanged"], row["Difference"]) == (0, "6.8999999999999999999999999999")
    number = str(task.id)
    fields = ratekit("reprocess", "show", number, "-f", "json").json()
    assert (fields["Periods changed"], fields["New price"]) == (1, "7")
    assert fields["Results"] == [
        {
            "begin": "2026-03-01T00:00:00Z",
            "outcome": "changed",
            "note": None,
            "frames": 2,
            "new_frames": 1,
            "price": "0.1000000000000000000000000001",
            "new_price": "7",
            "at": "2026-03-02T12:00:00Z",
        }
    ]
    assert (
        "price 0.1000000000000000000000000001 to 7, frames 2 to 1"
        in ratekit("reprocess", "show", number).out
    )
    assert ratekit("reprocess", "cancel", number).out == (
        f"task {number} is cancelled; it had finished 1 of 2 periods\n"
    )
    assert "has ended" in ratekit("reprocess", "cancel", number).out
    assert ratekit("reprocess", "list", "-f", "json").json() == []
    (ended,) = ratekit("reprocess", "list", "--all", "-f", "json").json()
    assert ended["State"] == TaskState.CANCELLED.value


def test_periods_that_a_task_left_unchanged_are_counted_and_explained(
    ratekit: Shell, storage: Storage, usage: None
) -> None:
    ratekit("reprocess", "--scope", "a1", *STRETCH, *WHY)
    (task,) = storage.task_ledger.open_tasks(None)
    notes = {given.hour(0): "it is gone", given.hour(1): "this too"}
    storage.task_ledger.swap(task, RepricedWindow(given.window(2), notes), given.hour(36))
    (row,) = ratekit("reprocess", "list", "--all", "-f", "json").json()
    assert (row["State"], row["Done"], row["Left unchanged"]) == ("done", 2, 2)
    screen = ratekit("reprocess", "show", str(task.id)).out
    assert "2026-03-01T00:00:00Z: left unchanged: it is gone" in screen
    assert "2026-03-01T01:00:00Z: left unchanged: this too" in screen


def test_a_dry_run_and_a_task_name_the_same_things_alike(
    ratekit: Shell, storage: Storage, usage: None, metrics: None
) -> None:
    raise_price(storage)
    preview = ratekit("reprocess", "--scope", "a1", *STRETCH, "--dry-run", "--rates-only", "-fjson")
    ratekit("reprocess", "--scope", "a1", *STRETCH, *WHY)
    (task, _) = storage.tasks.tasks()[0]
    fields = ratekit("reprocess", "show", str(task.id), "-f", "json").json()
    (row, *_) = preview.json()
    words = {"Scope", "Name", "Frames", "New frames", "Price", "New price", "Difference"}
    assert words <= row.keys()
    assert words <= fields.keys()
    assert fields["Queued by"]


def test_a_failing_task_shows_its_error(ratekit: Shell, storage: Storage, usage: None) -> None:
    ratekit("reprocess", "--scope", "a1", *STRETCH, *WHY)
    (task,) = storage.task_ledger.open_tasks(None)
    storage.task_ledger.postpone(task, "Gnocchi failed", given.hour(40))
    (row,) = ratekit("reprocess", "list", "-f", "json").json()
    assert row["State"] == "failing (1): Gnocchi failed, retry at 2026-03-02T16:00:00Z"


@pytest.mark.parametrize("command", ["show", "cancel"])
def test_an_unknown_task_is_one_line_and_2(command: str, ratekit: Shell) -> None:
    answer = ratekit("reprocess", command, "7")
    assert (answer.code, answer.err) == (
        2,
        "ratekit: no task 7; see ratekit reprocess list --all\n",
    )
    assert "expected a whole number of at least 1" in ratekit("reprocess", command, "x").err
