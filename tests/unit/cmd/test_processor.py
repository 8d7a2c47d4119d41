"""ratekit-processor --once: its last line, and its exit code."""

from __future__ import annotations

import datetime
import pathlib
import subprocess
import sys
from decimal import Decimal

import pytest

from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract import given
from tests.stub_server import StubServer

NOTE = TaskNote("prices were wrong", "ann@example", given.hour(30))
CONF = """\
start = {start}
[fetcher]
backend = static
[fetcher_static]
scopes = new
[collector_gnocchi]
gnocchi_auth_type = basic
gnocchi_user = admin
gnocchi_endpoint = {url}
[rating]
without_rules = {without_rules}
"""
METRICS = "metrics: {instance: {unit: u, extra_args: {resource_type: i}}}\n"


def configure(url: str, start: str = "month", without_rules: str = "free") -> str:
    """Return the options of a processor, with Gnocchi at a URL."""
    return CONF.format(start=start, without_rules=without_rules, url=url)


@pytest.fixture
def ready(config: pathlib.Path, storage: Storage, usage: None, server: StubServer) -> pathlib.Path:
    """A configuration, a Gnocchi with a clock only, and scopes that are no longer rated.

    One of them has a gap.
    """
    # No period is due.
    config.write_text(config.read_text() + configure(server.url, start="now"))
    config.with_name("metrics.yml").write_text(METRICS)
    storage.scopes.deactivate("a1", given.hour(2))
    storage.scopes.activate("a1", given.hour(4))
    states = given.list_scopes(storage, "a1", now=given.hour(9))
    (state,) = [state for state in states if state.scope.id == "a1"]
    storage.ledger.commit(given.batch([state], periods=given.window(1, given.hour(4))))
    for scope in ("a1", "b2"):
        storage.scopes.deactivate(scope, given.hour(5))
    return config


def once(config: pathlib.Path, *options: str) -> tuple[int, str]:
    """Carry out all that is due; return the exit code and the last line."""
    program = pathlib.Path(sys.executable).with_name("ratekit-processor")
    process = subprocess.run(
        [program, "--once", *options, "--config-file", config],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return process.returncode, process.stderr.splitlines()[-1]


def queue(storage: Storage, kind: TaskKind, end: int = 5) -> None:
    order = Order(Scope("a1"), given.hour(0), given.hour(end), given.HOUR, kind)
    storage.tasks.add([order], NOTE)


def test_if_nothing_is_due_the_last_line_says_when_something_is(ready: pathlib.Path) -> None:
    before = datetime.datetime.now(datetime.UTC)
    code, line = once(ready)
    hours = {
        (now + given.HOUR).strftime("%Y-%m-%dT%H:00Z")
        for now in (before, datetime.datetime.now(datetime.UTC))
    }
    prefix = "ratekit-processor: nothing is due; next period at "
    assert (code, line.startswith(prefix)) == (0, True)
    assert line.removeprefix(prefix) in hours


def test_unchanged_periods_are_counted_in_the_last_line(
    ready: pathlib.Path, storage: Storage
) -> None:
    queue(storage, TaskKind.RATES)
    assert once(ready) == (
        0,
        "ratekit-processor: 1 task done; left unchanged: 2 periods, see the log",
    )


def test_a_task_that_has_to_wait_for_another_processor_is_not_done(
    ready: pathlib.Path, storage: Storage
) -> None:
    queue(storage, TaskKind.COLLECT, end=2)
    assert once(ready, "--allow-expired") == (
        1,
        "ratekit-processor: 0 tasks done; not done: 1 task, see the log",
    )


def test_without_any_rule_nothing_is_rated(
    config: pathlib.Path, storage: Storage, server: StubServer
) -> None:
    config.write_text(config.read_text() + configure(server.url, without_rules="hold"))
    config.with_name("metrics.yml").write_text(METRICS)
    assert once(config) == (
        1,
        "ratekit-processor: there are no price rules, so nothing is rated: add some with ratekit "
        "hashmap apply FILE, or set [rating] without_rules = free to rate all usage at price 0",
    )
    [scope] = storage.reports.scopes(ALL_SCOPES)
    assert (scope.id, scope.rated_until.day) == ("new", 1)


def test_while_gnocchi_does_not_answer_no_scope_starts_by_an_unconfirmed_clock(
    config: pathlib.Path, storage: Storage
) -> None:
    """Neither the static fetcher nor SQLite has a clock of its own."""
    config.write_text(config.read_text() + configure("http://127.0.0.1:1"))
    config.with_name("metrics.yml").write_text(METRICS)
    code, line = once(config)
    assert (code, line.partition(": Unable")[0]) == (
        1,
        "ratekit-processor: Gnocchi does not answer",
    )
    assert storage.reports.scopes(ALL_SCOPES) == []


def test_a_task_does_not_make_usage_free_because_there_are_no_rules(
    ready: pathlib.Path, storage: Storage
) -> None:
    ready.write_text(ready.read_text().replace("without_rules = free", "without_rules = hold"))
    queue(storage, TaskKind.RATES)
    assert once(ready) == (1, "ratekit-processor: 0 tasks done; not done: 1 task, see the log")
    assert given.total(storage, "a1") == (3, Decimal("0.3000000000000000000000000001"))
