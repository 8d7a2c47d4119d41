"""When a scope was last listed, by processors whose clocks differ, is exact for each scope."""

from __future__ import annotations

import datetime
import pathlib
import re

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ratekit.domain.reporting.coverage import GapSpan
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from ratekit.storage.db.engine import parse
from tests.contract.given import START, batch, hour, statements, window

TROUBLESHOOTING = pathlib.Path(__file__).parents[2] / "doc/troubleshooting.rst"

#: Lists of the fetcher: the hour on the clock of the processor that read it, and ids.
LISTS = st.lists(
    st.tuples(
        st.sampled_from([1.0, 1.25, 1.5, 2.0, 2.25, 3.0, 4.5]),
        st.sets(st.sampled_from(["a", "b", "c", "d"])),
    ),
    max_size=10,
)


def last_seen(storage: Storage) -> dict[str, datetime.datetime]:
    """Return what reports say, for the scopes of a test."""
    return {row.id: row.last_seen for row in storage.reports.scopes(ALL_SCOPES)}


@given(lists=LISTS)
@example(lists=[(1.0, {"a", "b"}), (3.0, {"a"}), (2.0, {"a", "b"}), (4.5, set())])
@example(lists=[(2.0, {"a"}), (1.0, {"a", "b"}), (2.0, {"b"}), (3.0, {"a"})])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_the_newest_instant_of_the_lists_with_the_scope(
    storage: Storage, lists: list[tuple[float, set[str]]]
) -> None:
    prefix = f"{len(last_seen(storage))}-"
    # Scopes of earlier examples are listed by none of these lists.
    earlier = last_seen(storage)
    expected: dict[str, datetime.datetime] = {}
    # Instants are later than those of earlier examples.
    first = max([START, *earlier.values()]) - START
    for number, ids in lists:
        now = hour(number) + first
        scopes = [Scope(prefix + id_, "") for id_ in sorted(ids)]
        observation = storage.ledger.observe(scopes, now, START, START)
        for scope in scopes:
            expected[scope.id] = max(expected.get(scope.id, now), now)
        assert last_seen(storage) == earlier | expected
        # Nothing is rated yet, so no scope is retired, and gaps begin where a scope was last seen.
        seen = {state.scope.id: state.last_seen for state in observation.states}
        assert {id_: seen[id_] for id_ in expected} == expected


@pytest.mark.parametrize("count", [3, 300])
def test_a_list_in_which_nothing_changes_writes_one_row(storage: Storage, count: int) -> None:
    scopes = [Scope(f"{number}", "") for number in range(count)]
    storage.ledger.observe(scopes, hour(1), START, START)
    with statements() as sent_statements:
        observation = storage.ledger.observe(scopes, hour(2), START, START)
    assert {state.last_seen for state in observation.states} == {hour(2)}
    writes = [text for text in sent_statements if not text.startswith("SELECT")]
    assert [text.split()[:2] for text in writes] == [["UPDATE", "scope_lists"]]
    assert set(last_seen(storage).values()) == {hour(2)}


def repair(url: str, now: datetime.datetime) -> None:
    """Run the documented statements."""
    text = TROUBLESHOOTING.read_text(encoding="utf-8")
    [block] = re.findall(r"^   UPDATE scope_lists.*?(?=\n\S)", text, re.MULTILINE | re.DOTALL)
    block = re.sub(r"'[^']*'", f"'{now:%Y-%m-%d %H:%M:%S.%f}'", block)
    engine = sa.create_engine(parse(url), poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in filter(str.strip, block.split(";")):
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_the_documented_repair_after_a_clock_that_was_far_ahead(storage: Storage, url: str) -> None:
    old, new, gone, lost = (Scope(id_, "") for id_ in ("old", "new", "gone", "lost"))
    storage.ledger.observe([old, gone, lost], hour(1), START, START)
    storage.ledger.observe([old, gone, lost], hour(90_000), START, START)
    storage.ledger.observe([old, lost], hour(90_001), START, START)
    storage.ledger.observe([old, new], hour(2), START, START)
    assert last_seen(storage) == {
        "old": hour(90_001),
        "new": hour(2),
        "gone": hour(90_000),
        "lost": hour(90_001),
    }
    repair(url, hour(2.5))
    observation = storage.ledger.observe([old, new], hour(3), START, START)
    expected = {"old": hour(3), "new": hour(3), "gone": hour(2.5), "lost": hour(2.5)}
    assert last_seen(storage) == expected
    assert {state.scope.id: state.last_seen for state in observation.states} == expected
    facts = storage.reports.coverage("gone", START, hour(3))
    assert list(facts.gaps) == [GapSpan(hour(2.5), None)]
    # What is gone becomes inactive when it is rated to its end.
    storage.ledger.commit(batch(observation.states, periods=window(3)))
    observation = storage.ledger.observe([old, new], hour(4), START, START)
    assert {scope.id for scope in observation.retired_scopes} == {"gone", "lost"}
