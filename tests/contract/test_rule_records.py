"""Every rule store records each change: who, when, why, and the rules before."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.rules import history
from ratekit.domain.rules.history import ChangeNote, ChangeRecord, Closing
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.interfaces import Storage
from ratekit.storage.sql import open_storage
from tests.contract.conftest import Open
from tests.contract.given import START, hour, note, statements

FLAVOR = RuleTarget("instance", "flavor_name")


def small(cost: str = "1", **fields: object) -> MappingRule:
    """Return a price of the flavor m1.small."""
    terms = Terms(cost=Decimal(cost), type=CostType.FLAT, **fields)  # type: ignore[arg-type]
    return MappingRule(FLAVOR, "m1.small", terms)


def large(cost: str = "1", **fields: object) -> ThresholdRule:
    """Return a price of a large volume."""
    terms = Terms(cost=Decimal(cost), type=CostType.RATE, **fields)  # type: ignore[arg-type]
    return ThresholdRule(RuleTarget("volume"), Decimal("1000"), terms)


def test_a_new_store_has_no_records(storage: Storage) -> None:
    assert storage.rules.records() == []


def test_a_change_is_recorded_as_it_was_made(storage: Storage) -> None:
    storage.rules.change(0, [], [small(group="g"), large(end=hour(9))], note())
    first, second = storage.rules.read().rules
    later = ChangeNote(hour(2.123456), "zoë 東京@control1", "why\nso", retroactive=True)
    close = [(first, hour(3)), (second, hour(4))]
    storage.rules.change(1, close, [small("2", start=hour(3))], later)
    newer, older = storage.rules.records()
    *_, third = [rule for rule in storage.rules.read().rules if isinstance(rule, MappingRule)]
    assert newer == ChangeRecord(
        version=2,
        made_at=hour(2.123456),
        made_by="zoë 東京@control1",
        comment="why\nso",
        retroactive=True,
        opened=(small("2", start=hour(3)),),
        closed=(Closing(small(group="g"), hour(3)), Closing(large(end=hour(9)), hour(4))),
    )
    assert [closing.rule.id for closing in newer.closed] == [first.id, second.id]
    assert newer.opened[0].id == third.id
    assert older == ChangeRecord(
        1, START, "ann@example", None, False, (small(group="g"), large(end=hour(9))), ()
    )


def test_the_newest_come_first_and_at_most_the_limit(storage: Storage) -> None:
    for version in range(4):
        storage.rules.change(version, [], [small(group=str(version))], note(hour(version)))
    assert [record.version for record in storage.rules.records()] == [4, 3, 2, 1]
    newest = storage.rules.records(2)
    assert [record.version for record in newest] == [4, 3]
    assert [rule.terms.group for record in newest for rule in record.opened] == ["3", "2"]


def test_a_change_of_nothing_is_recorded_too(storage: Storage) -> None:
    storage.rules.change(0, [], [], note())
    assert storage.rules.records() == [ChangeRecord(1, START, "ann@example", None, False, (), ())]


def test_what_a_database_does_not_take_is_replaced_in_a_comment(storage: Storage) -> None:
    strange = ChangeNote(START, "a\x00b@\udcff", "\ud800" + "x" * 2000)
    storage.rules.change(0, [], [], strange)
    (record,) = storage.rules.records()
    assert record.made_by == "a?b@?"
    assert record.comment == "?" + "x" * 999


def test_records_take_as_many_queries_for_many_as_for_few(storage: Storage) -> None:
    for version in range(30):
        rules = [small(group=f"{version} {number}") for number in range(5)]
        storage.rules.change(version, [], rules, note())
    with statements() as seen:
        assert len(storage.rules.records()) == 30
    assert len([statement for statement in seen if statement.startswith("SELECT")]) == 3


def test_a_change_takes_as_many_statements_for_many_rules_as_for_few(storage: Storage) -> None:
    counts = []
    for version, count in enumerate((1, 50)):
        rules: list[Rule] = [small(group=f"{version} {number}") for number in range(count)]
        close = [(rule, hour(1)) for rule in storage.rules.read().rules]
        with statements() as seen:
            storage.rules.change(version, close, rules, note())
        counts.append(len(seen))
    assert counts[1] <= counts[0] + 2  # there was nothing to close


def test_earlier_books_are_those_that_were_stored(storage: Storage) -> None:
    books = [storage.rules.read()]
    changes: list[tuple[list[int], list[Rule]]] = [
        ([], [small("1"), large("1")]),
        ([0], [small("2", start=hour(3)), small("3", group="g", start=hour(4))]),
        ([], []),
        ([1, 3], [large("2", start=hour(5), end=hour(9))]),
        ([2], []),
    ]
    for version, (closed, added) in enumerate(changes):
        rules = sorted(books[-1].rules, key=repr)
        ends = [(rules[index], rules[index].terms.start or hour(3)) for index in closed]
        storage.rules.change(version, ends, added, note())
        books.append(storage.rules.read())
    records = storage.rules.records()
    *earlier, newest = books
    books_before = list(history.earlier_books(newest, records))
    assert books_before == earlier[::-1]
    ids = [[(type(rule), rule.id) for rule in book.rules] for book in books_before]
    assert ids == [[(type(rule), rule.id) for rule in book.rules] for book in earlier[::-1]]
    assert list(history.earlier_books(books[2], records)) == books[1::-1]
    assert list(history.earlier_books(newest, records[1:])) == []


def test_of_two_changes_at_once_one_is_recorded(storage: Storage, open_another: Open) -> None:
    gate = threading.Barrier(2)
    messages: list[str] = []

    def change(store: Storage, cost: str) -> None:
        gate.wait()
        try:
            store.rules.change(0, [], [small(cost)], ChangeNote(START, cost))
        except errors.OperatorError as error:
            messages.append(str(error))

    threads = [threading.Thread(target=change, args=(open_another(), cost)) for cost in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert messages == [
        "the price rules have been changed by another process since version 0; nothing was "
        "written: check the rules and repeat the command"
    ]
    (record,) = storage.rules.records()
    assert [str(rule.terms.cost) for rule in record.opened] == [record.made_by]
    assert storage.rules.read() == RuleBook(1, record.opened)


#: The last step of a change before its process is killed, in the order of the steps.
STEPS = (
    "UPDATE hashmap_versions",
    "INSERT INTO hashmap_changes",
    "UPDATE hashmap_mappings",
    "INSERT INTO hashmap_mappings",
    "INSERT INTO hashmap_change_lines",
    "COMMIT",
)


@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_in_a_change_leaves_the_old_rules_or_the_new_whole(
    storage: Storage, url: str, step: str
) -> None:
    storage.rules.change(0, [], [small("1")], note())
    before = storage.rules.read()
    process = multiprocessing.get_context("spawn").Process(target=change_and_die, args=(url, step))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    after = storage.rules.read()
    records = storage.rules.records()
    if step == "COMMIT":
        assert after == RuleBook(2, (small("1", end=hour(3)), small("2", start=hour(3))))
        assert [record.version for record in records] == [2, 1]
        assert next(history.earlier_books(after, records)) == before
    else:
        assert after == before
        assert [record.version for record in records] == [1]
        close = [(before.rules[0], hour(3))]
        assert storage.rules.change(1, close, [small("2", start=hour(3))], note()) == 2


def change_and_die(url: str, step: str) -> None:
    """Change a rule, in a process that is killed right after one of its steps."""
    storage = open_storage(url, scope_key="project_id", fetcher="keystone", collector="gnocchi")
    (rule,) = storage.rules.read().rules

    def die(*arguments: object) -> None:
        if str(arguments[2]).startswith(step):
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "after_cursor_execute", die)
    storage.rules.change(1, [(rule, hour(3))], [small("2", start=hour(3))], note())
    os.kill(os.getpid(), signal.SIGKILL)
