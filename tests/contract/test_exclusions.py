"""Exclusions are stored with the periods they cover, on every database."""

from __future__ import annotations

import dataclasses

from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract.given import batch, hour, list_scopes, statements, total, window

DISK = Exclusion("a", "volume.size", "d1", "its archive policy is 'low'", "delete it")
HOST = Exclusion("a", "instance", "i1", "its archive policy is 'low'", "delete it")
OTHERS = Exclusion("b", "instance", "i2", "its archive policy is 'low'", "delete it")


def rate(
    storage: Storage, begin: int, *exclusions: Exclusion, scopes: str = "a", count: int = 1
) -> None:
    """Rate some hours from ``begin`` on."""
    states = list_scopes(storage, *scopes, now=hour(begin))
    storage.ledger.commit(batch(states, periods=window(count, hour(begin)), exclusions=exclusions))


def read_exclusions(
    storage: Storage, scope: str, begin: int = 0, end: int = 24
) -> list[tuple[str, int, int]]:
    """Return resource, begin and end of the exclusions, in hours."""
    facts = storage.reports.coverage(scope, hour(begin), hour(end))
    return [
        (span.exclusion.resource, (span.begin - hour(0)) // (hour(1) - hour(0)),
         (span.end - hour(0)) // (hour(1) - hour(0)))
        for span in facts.exclusions
    ]  # fmt: skip


def test_an_exclusion_is_extended_until_the_resource_is_rated(storage: Storage) -> None:
    rate(storage, 0, DISK, HOST, count=3)
    rate(storage, 3, DISK)
    rate(storage, 4)
    rate(storage, 5, DISK, count=2)
    assert read_exclusions(storage, "a") == [("i1", 0, 3), ("d1", 0, 4), ("d1", 5, 7)]
    assert read_exclusions(storage, "a", 3, 5) == [("d1", 0, 4)]
    assert read_exclusions(storage, "a", 4, 5) == []
    [last] = storage.reports.coverage("a", hour(6), hour(7)).exclusions
    assert last.exclusion == DISK


def test_the_newest_reason_is_stored(storage: Storage) -> None:
    rate(storage, 0, DISK)
    rate(storage, 1, dataclasses.replace(DISK, reason="its archive policy is 'none'"))
    [span] = storage.reports.coverage("a", hour(0), hour(2)).exclusions
    assert span.exclusion.reason == "its archive policy is 'none'"


def test_each_scope_has_its_own_exclusions(storage: Storage) -> None:
    rate(storage, 0, DISK, OTHERS, scopes="ab")
    rate(storage, 1, OTHERS, scopes="ab")
    assert read_exclusions(storage, "a") == [("d1", 0, 1)]
    assert read_exclusions(storage, "b") == [("i2", 0, 2)]


def test_a_scope_that_lost_has_no_exclusions(storage: Storage) -> None:
    states = list_scopes(storage, "a", "b")
    storage.scopes.deactivate("a", hour(0))
    storage.ledger.commit(batch(states, exclusions=[DISK, OTHERS]))
    assert read_exclusions(storage, "a") == []
    assert read_exclusions(storage, "b") == [("i2", 0, 1)]


def test_a_reset_removes_later_exclusions(storage: Storage) -> None:
    rate(storage, 0, DISK, count=4)
    rate(storage, 4, DISK, HOST)
    storage.scopes.reset(storage.scopes.plan_reset("a", hour(2)))
    assert read_exclusions(storage, "a") == [("d1", 0, 2)]
    rate(storage, 2, DISK)
    assert read_exclusions(storage, "a") == [("d1", 0, 3)]


def test_texts_that_no_database_accepts_do_not_stop_the_rating(storage: Storage) -> None:
    unstorable = dataclasses.replace(DISK, resource="d\x00\ud800", reason="n\x00" + "o" * 5000)
    rate(storage, 0, unstorable)
    rate(storage, 1, unstorable)
    assert read_exclusions(storage, "a") == [("d??", 0, 2)]
    assert total(storage)[0] == 0


def test_without_exclusions_no_query_is_sent(storage: Storage) -> None:
    rate(storage, 0, DISK)
    states = list_scopes(storage, "a", now=hour(1))
    with statements() as sent_statements:
        storage.ledger.commit(batch(states, periods=window(1, hour(1))))
    assert not [statement for statement in sent_statements if "exclusions" in statement]


def test_a_scopes_first_period_is_known_and_moves_back_with_a_reset(storage: Storage) -> None:
    storage.ledger.observe([Scope("a")], hour(5.5), start=hour(5), resume=hour(5))
    assert storage.reports.coverage("a", hour(0), hour(9)).rated_since == hour(5)
    (state,) = list_scopes(storage, "a", now=hour(5.6))
    storage.ledger.commit(batch([state], periods=window(1, hour(5))))
    assert storage.reports.coverage("a", hour(0), hour(9)).rated_since == hour(5)
    storage.scopes.reset(storage.scopes.plan_reset("a", hour(3)))
    assert storage.reports.coverage("a", hour(0), hour(9)).rated_since == hour(3)
