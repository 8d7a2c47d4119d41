"""What other rules would have cost adds up exactly, the largest difference first."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ratekit.admin import plan_cost
from ratekit.admin.what_if import Difference
from ratekit.domain.exact import EXACT
from ratekit.domain.reporting.bill import add_up

#: In the opposite order of the ids.
_NAMES = {"a": "z", "b": "y"}
_prices = st.decimals(-(10**9), 10**9, places=28)
_differences = st.lists(
    st.builds(
        Difference,
        st.sampled_from("ab"),
        st.sampled_from(["cpu", "disk", "ram"]),
        st.integers(1, 9),
        _prices,
        _prices,
    ),
    max_size=6,
    unique_by=lambda entry: (entry.scope, entry.metric),
)


@given(_differences)
def test_the_sums_of_projects_and_of_metrics_are_the_total(entries: list[Difference]) -> None:
    total = plan_cost.sum_all(entries)
    assert total.amount == EXACT.subtract(
        add_up(entry.new for entry in entries), add_up(entry.stored for entry in entries)
    )
    for changes in (plan_cost.sum_by_scope(entries, _NAMES), plan_cost.sum_by_metric(entries)):
        assert add_up(change.old for change in changes) == total.old
        assert add_up(change.new for change in changes) == total.new
        sizes = [change.amount.copy_abs() for change in changes]
        assert sizes == sorted(sizes, reverse=True)
        assert len({change.name for change in changes}) == len(changes)


def test_a_large_saving_comes_before_a_small_rise() -> None:
    entries = [
        Difference("a", "cpu", 1, Decimal(5), Decimal(6)),
        Difference("b", "cpu", 1, Decimal(9), Decimal(2)),
        Difference("a", "disk", 1, Decimal(1), Decimal(0)),
    ]
    order = plan_cost.sort_by_size(entries, _NAMES)
    assert [(entry.scope, entry.metric) for entry in order] == [
        ("b", "cpu"),
        ("a", "cpu"),
        ("a", "disk"),
    ]


def test_equal_differences_are_in_the_order_of_names() -> None:
    entries = [Difference(scope, "cpu", 1, Decimal(5), Decimal(6)) for scope in "abc"]
    changes = plan_cost.sum_by_scope(entries, _NAMES)
    # The id stands for a name that is not known.
    assert [change.name for change in changes] == ["c", "b", "a"]
    order = plan_cost.sort_by_size(entries, _NAMES)
    assert [entry.scope for entry in order] == ["c", "b", "a"]
