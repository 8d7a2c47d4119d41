"""The outcome of a commit without a reply is verified, never guessed."""

from __future__ import annotations

import logging
import pathlib
import threading
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.reporting.reports import Selection
from ratekit.domain.reprocessing.task import Order, RepricedWindow, TaskKind, TaskNote
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from ratekit.storage import migrate
from tests.contract.given import (
    HOUR,
    Breaking,
    batch,
    build_breaking_series,
    build_series,
    hour,
    list_scopes,
    reopen,
    total,
    window,
)
from tests.databases import SERVERS, new_database
from tests.faults.relay import Moment, Relay, run_relay
from tests.faults.wire import MessageKind

ONE = [("1", "0.5")]


@pytest.fixture(scope="module", params=SERVERS)
def direct(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of a migrated database."""
    folder: pathlib.Path = tmp_path_factory.mktemp("outcomes")
    with new_database(request.param, folder) as url:
        migrate.upgrade(url)
        yield url


@pytest.fixture
def relay(direct: str) -> Iterator[Relay]:
    """A relay to the database that can cut connections."""
    with run_relay(direct) as relay:
        yield relay


@pytest.fixture
def storage(relay: Relay) -> Storage:
    """The storage behind the relay."""
    return reopen(relay.url)


@pytest.fixture
def other_processor(direct: str) -> Storage:
    """The storage of another processor, whose connections never fail."""
    return reopen(direct)


@pytest.fixture
def scopes(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Ids of two scopes that no other test uses."""
    return f"{request.node.name} a", f"{request.node.name} b"


def test_a_commit_that_never_reached_the_database_is_tried_later(
    relay: Relay, storage: Storage, scopes: tuple[str, str]
) -> None:
    states = list_scopes(storage, *scopes)
    work = batch(states, *(build_series(scope, ONE) for scope in scopes))
    relay.plan(MessageKind.COMMIT, Moment.BEFORE)
    with pytest.raises(errors.TryLater, match="was not committed") as caught:
        storage.ledger.commit(work)
    assert "\n" not in str(caught.value)
    assert relay.injections == 1
    assert total(storage, *scopes) == (0, Decimal(0))
    assert storage.ledger.commit(work).frames == 2
    assert total(storage, *scopes) == (2, Decimal(1))


def test_a_commit_without_a_reply_is_verified_and_returned(
    relay: Relay,
    storage: Storage,
    scopes: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    states = list_scopes(storage, *scopes)
    work = batch(states, *(build_series(scope, ONE) for scope in scopes))
    relay.plan(MessageKind.COMMIT, Moment.UNANSWERED)
    with caplog.at_level(logging.WARNING):
        result = storage.ledger.commit(work)
    assert relay.injections == 1
    assert (result.frames, result.lost_scopes) == (2, ())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert total(storage, *scopes) == (2, Decimal(1))
    assert {state.rated_until for state in list_scopes(storage, *scopes)} == {hour(1)}


def test_a_connection_that_is_lost_after_the_reply_does_no_harm(
    relay: Relay, storage: Storage, scopes: tuple[str, str]
) -> None:
    states = list_scopes(storage, *scopes)
    relay.plan(MessageKind.COMMIT, Moment.ANSWERED)
    for number in range(2):
        begin = hour(number)
        work = batch(states, build_series(scopes[0], ONE, begin=begin), periods=window(1, begin))
        assert storage.ledger.commit(work).frames == 1
    assert relay.injections == 1
    assert total(storage, *scopes) == (2, Decimal(1))


def test_while_the_database_is_unreachable_the_outcome_stays_unknown(
    relay: Relay, storage: Storage, scopes: tuple[str, str]
) -> None:
    states = list_scopes(storage, *scopes)
    work = batch(states, *(build_series(scope, ONE) for scope in scopes))
    relay.plan(MessageKind.COMMIT, Moment.UNANSWERED, action=lambda wire: wire.listener.refuse())
    with pytest.raises(errors.TryLater, match="cannot be verified") as caught:
        storage.ledger.commit(work)
    assert "\n" not in str(caught.value)
    relay.clear_faults()
    result = storage.ledger.commit(work)
    assert (result.frames, {scope.id for scope in result.lost_scopes}) == (0, set(scopes))
    assert total(storage, *scopes) == (2, Decimal(1))


class Slow(Breaking):
    """Points that delay the transaction that writes them."""

    def interrupt(self) -> None:
        """Sleep."""
        time.sleep(0.5)


def test_the_outcome_is_read_after_a_transaction_that_locks_the_scopes(
    relay: Relay, storage: Storage, other_processor: Storage, scopes: tuple[str, str]
) -> None:
    """The first commit is lost; another processor waited for the scopes and rates them."""
    states = list_scopes(storage, *scopes)
    labels = {"id": scopes[0]}
    whole = build_series(scopes[0], ONE, labels=labels)
    new = build_series(scopes[0], ONE, labels={"id": scopes[1]})
    beside = threading.Thread(
        target=other_processor.ledger.commit,
        args=(batch(states, new, build_breaking_series(whole, Slow)),),
    )

    def start(_: Relay) -> None:
        beside.start()
        time.sleep(1.5)

    relay.plan(MessageKind.COMMIT, Moment.BEFORE, action=start)
    lost_scopes = storage.ledger.commit(batch(states, whole)).lost_scopes
    beside.join()
    # Their frames are the other processor's.
    assert {scope.id for scope in lost_scopes} == set(scopes)
    assert total(storage, scopes[0]) == (2, Decimal(1))
    # The descriptor ids of the lost transaction belong to no row, or to other labels.
    again = build_series(scopes[0], [("7", "7")], labels=labels, begin=hour(1))
    storage.ledger.commit(batch(states, again, periods=window(1, hour(1))))
    frames = storage.reports.frames(Selection(scopes=frozenset(scopes[:1]), begin=hour(1)))
    assert [frame.groupby["id"] for frame in frames] == [scopes[0]]


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.UNANSWERED])
def test_a_swap_whose_commit_is_cut_off_is_verified(
    moment: Moment, relay: Relay, storage: Storage, scopes: tuple[str, str]
) -> None:
    scope = scopes[0]
    storage.ledger.commit(batch(list_scopes(storage, scope), build_series(scope, ONE)))
    order = Order(Scope(scope), hour(0), hour(1), HOUR, TaskKind.COLLECT)
    (id_,) = storage.tasks.add([order], TaskNote("why", "ann", hour(2)))
    task = storage.task_ledger.read(id_)
    assert task is not None
    new = build_series(scope, [("1", "0.75")], labels={"id": scope})
    work = RepricedWindow(window(), {}, [new], 0, ("instance",))
    relay.plan(MessageKind.COMMIT, moment)
    if moment is Moment.BEFORE:
        with pytest.raises(errors.TryLater, match="was not committed") as caught:
            storage.task_ledger.swap(task, work, hour(3))
        assert "\n" not in str(caught.value)
        assert total(storage, scope) == (1, Decimal("0.5"))
        assert storage.task_ledger.read(id_) == task
        account = storage.task_ledger.swap(task, work, hour(3))
    else:
        account = storage.task_ledger.swap(task, work, hour(3))
    assert relay.injections == 1
    assert account is not None
    assert account.new.price == Decimal("0.75")
    assert total(storage, scope) == (1, Decimal("0.75"))
    assert len(storage.tasks.periods(id_)) == 1
