"""When a scope was last listed, by processors whose clocks differ, is exact for each scope."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract.given import START, hour, statements

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
    return {row.id: row.last_seen for row in storage.reports.scopes()}


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
