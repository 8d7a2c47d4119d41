"""Every database compares a column with lists of any length, as one parameter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ratekit.storage.db.dialects import insert_new
from ratekit.storage.db.engine import Database
from ratekit.storage.db.lists import Digests, Words, in_list
from ratekit.storage.schema import METRIC_SETS, SCOPES, SERVICES
from tests.contract.given import START

NAMES = [
    "plain",
    "quote \" ' `",
    "back \\ slash \\",
    "{a,b}",
    "100 %s %",
    "Zoë \U0001f680",
    " ",
    "NULL",
]


@pytest.fixture
def connection(url: str) -> Iterator[sa.Connection]:
    """A transaction that writes, and is committed."""
    with Database(url).writing() as connection:
        yield connection


def test_numbers(connection: sa.Connection) -> None:
    insert_new(connection, SERVICES, [{"name": name} for name in NAMES])
    ids = list(connection.scalars(sa.select(SERVICES.c.id).order_by(SERVICES.c.id)))
    query = sa.select(SERVICES.c.id).order_by(SERVICES.c.id)
    for wanted in ([], ids[:1], ids[1:3], [0, -1, *ids], range(min(ids), min(ids) + 100_000)):
        result = connection.scalars(query.where(in_list(SERVICES.c.id, wanted)))
        assert list(result) == [id_ for id_ in ids if id_ in wanted]


def test_words_are_compared_by_code_point(connection: sa.Connection) -> None:
    insert_new(connection, SERVICES, [{"name": name} for name in NAMES])
    query = sa.select(SERVICES.c.name)
    for wanted in ([], NAMES, ["PLAIN", "plain ", "zoe"], [*NAMES[1:4], "no such name"]):
        result = connection.scalars(query.where(in_list(SERVICES.c.name, wanted, Words)))
        assert sorted(result) == sorted(set(NAMES) & set(wanted))


def test_digests(connection: sa.Connection) -> None:
    digests = [bytes([number]) * 32 for number in (0, 0x27, 0x5C, 0x80, 0xFF)]
    insert_new(connection, METRIC_SETS, [{"digest": digest, "names": "[]"} for digest in digests])
    query = sa.select(METRIC_SETS.c.digest)
    for wanted in ([], digests, digests[1:3], [b"\x01" * 32]):
        result = connection.scalars(query.where(in_list(METRIC_SETS.c.digest, wanted, Digests)))
        assert sorted(result) == sorted(set(digests) & set(wanted))


def test_a_condition_combines_with_others(connection: sa.Connection) -> None:
    insert_new(connection, SERVICES, [{"name": name} for name in NAMES])
    is_listed = in_list(SERVICES.c.name, NAMES[:2], Words)
    query = sa.select(SERVICES.c.name).order_by(SERVICES.c.name)
    both = query.where(is_listed & (SERVICES.c.name != NAMES[0]))
    assert list(connection.scalars(both)) == [NAMES[1]]
    assert len(list(connection.scalars(query.where(~is_listed)))) == len(NAMES) - 2


def test_rows_that_exist_are_skipped_and_text_that_is_too_long_is_not_cut(url: str) -> None:
    database = Database(url)
    for names in (NAMES[:3], NAMES):
        with database.writing() as connection:
            insert_new(connection, SERVICES, [{"name": name} for name in names])
    with database.reading() as connection:
        assert sorted(connection.scalars(sa.select(SERVICES.c.name))) == sorted(NAMES)


@pytest.mark.parametrize("count", [10, 1500])
def test_rows_that_a_list_lacks_are_neither_locked_nor_waited_for(url: str, count: int) -> None:
    """Most rows are in the list: a plan that reads the whole table is cheapest."""
    if url.startswith("sqlite"):
        pytest.skip("there is one writer at a time")
    scopes, first = Database(url), Database(url)
    values = {"scope_key": "k", "name": "", "fetcher": "f", "collector": "c", "active": True}
    values |= {"rated_until": START, "last_seen": START, "failures": 0}
    rows = [{**values, "scope_id": f"{number}"} for number in range(2000)]
    with scopes.writing() as connection:
        insert_new(connection, SCOPES, rows)
        ids = list(connection.scalars(sa.select(SCOPES.c.id).order_by(SCOPES.c.id)))
    listed, others = ids[5 : 5 + count], [ids[0], ids[-1]]
    query = sa.select(SCOPES.c.id).order_by(SCOPES.c.id).with_for_update(key_share=True)
    update = SCOPES.update().values(failures=1)
    with first.writing() as other_connection:
        locked = other_connection.scalars(query.where(SCOPES.c.id.in_(others)))
        assert list(locked) == others
        with scopes.writing() as connection:
            assert list(connection.scalars(query.where(in_list(SCOPES.c.id, listed)))) == listed
            changed = connection.execute(update.where(in_list(SCOPES.c.id, listed)))
            assert changed.rowcount == count
            # What neither lists stays free.
            free = other_connection.scalars(query.where(SCOPES.c.id == ids[-2]))
            assert list(free) == [ids[-2]]
