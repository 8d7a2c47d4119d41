"""What other rules would have cost is, to the digit, what they do cost."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
from hypothesis import given as given_that
from hypothesis import settings
from hypothesis import strategies as st

from ratekit import errors
from ratekit.admin import hashmap, what_if
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow, Selection
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.series import RatedSeries, Series, Shared
from ratekit.interfaces import Storage
from ratekit.pricing import stored_usage
from ratekit.pricing.price_list import PriceList
from ratekit.rating.hashmap import Hashmap
from ratekit.storage import migrate
from ratekit.storage.sql import open_storage
from tests.contract import given

MODULES = [Hashmap()]
CALENDAR = Calendar(given.HOUR, wait_periods=0)
HOURS = 12

moments = st.none() | st.integers(0, HOURS).map(given.hour)
costs = st.decimals(-3, 9, places=7, allow_nan=False)
terms = st.builds(
    Terms,
    costs,
    st.sampled_from(CostType),
    st.sampled_from([None, "g"]),
    st.sampled_from([None, "a"]),
    moments,
    moments,
)
FLAVOR = RuleTarget("instance", "flavor")
rules = st.one_of(
    st.builds(MappingRule, st.just(FLAVOR), st.sampled_from(["m1", "m2"]), terms),
    st.builds(MappingRule, st.just(RuleTarget("instance")), st.none(), terms),
    st.builds(
        ThresholdRule, st.just(RuleTarget("instance")), st.integers(0, 3).map(Decimal), terms
    ),
)
series = st.builds(
    lambda scope, flavor, quantities, shared: Series(
        scope,
        "instance",
        "instance",
        {"project_id": scope},
        {"flavor": flavor},
        [(given.hour(number), quantity) for number, quantity in enumerate(quantities)],
        {given.hour(number): record for number, record in shared.items()},
    ),
    st.sampled_from("ab"),
    st.sampled_from(["m1", "m2", None]),
    st.lists(st.decimals(0, 5, places=9, allow_nan=False), min_size=1, max_size=HOURS),
    st.dictionaries(
        st.integers(0, HOURS - 1),
        st.builds(Shared, st.decimals(0, 5, places=9), st.decimals(0, 1, places=9)),
    ),
)


def prices(rows: Sequence[FrameRow], book: RuleBook) -> Mapping[object, Decimal]:
    """Return new prices by period, scope, metric and labels."""
    return {
        (row.begin, row.scope, row.metric, str(row.metadata)): price
        for frames, rated in stored_usage.price_stored_usage(rows, PriceList(MODULES, book))
        for row, price in zip(frames, rated.prices, strict=True)
    }


@given_that(
    usage=st.lists(series, max_size=6, unique_by=lambda each: (each.scope, str(each.metadata))),
    candidates=st.lists(rules, max_size=5),
    chunk=st.integers(1, 7),
)
def test_stored_usage_is_priced_as_when_it_was_rated(
    usage: list[Series], candidates: list[Rule], chunk: int
) -> None:
    book = RuleBook(1, tuple(rule for rule in candidates if is_first(rule, candidates)))
    price_list = PriceList(MODULES, book)
    expected = {
        (begin, each.scope, each.metric, str(each.metadata)): price
        for each in usage
        for (begin, _), price in zip(each.points, price_list.prices(each), strict=True)
    }
    rows = sorted(
        (
            FrameRow(
                begin=begin,
                scope=each.scope,
                metric=each.metric,
                unit="",
                quantity=quantity,
                price=ZERO,
                groupby=each.groupby,
                metadata=each.metadata,
                shared=each.shared.get(begin),
            )
            for each in usage
            for begin, quantity in each.points
        ),
        key=lambda row: row.begin,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_usage, "CHUNK_SIZE", chunk)
        assert prices(rows, book) == expected


def is_first(rule: Rule, candidates: Sequence[Rule]) -> bool:
    """Return whether a rule is the first of its identity: such rules must not overlap."""
    identity = (type(rule), rule.target, rule.terms.group, rule.terms.scope)
    same_identity = [
        candidate
        for candidate in candidates
        if (type(candidate), candidate.target, candidate.terms.group, candidate.terms.scope)
        == identity
    ]
    return same_identity[0] is rule


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    """A storage with rules, and some hours rated by them."""
    folder: pathlib.Path = tmp_path_factory.mktemp("what-if")
    url = f"sqlite:///{folder}/ratekit.sqlite"
    migrate.upgrade(url)
    opened = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
    first = Terms(Decimal("0.1"), CostType.FLAT)
    plan = hashmap.plan(
        opened.rules, [MappingRule(RuleTarget("instance"), None, first)], CALENDAR, given.START
    )
    version = hashmap.make_change(opened.rules, plan, given.START, "ann")
    price_list = PriceList(MODULES, opened.rules.read())
    usage = [
        Series(
            scope,
            "instance",
            "instance",
            {"project_id": scope},
            {"flavor": flavor},
            [(given.hour(hour), Decimal(f"0.{number}{hour}7")) for hour in range(HOURS)],
        )
        for number, (scope, flavor) in enumerate([("a", "m1"), ("a", "m2"), ("b", "m1")], 1)
    ]
    rated = [RatedSeries(each, price_list.prices(each)) for each in usage]
    states = given.list_scopes(opened, "a", "b")
    opened.ledger.commit(given.batch(states, *rated, periods=given.window(HOURS), rules=version))
    return opened


@given_that(desired=st.lists(rules, max_size=4), since=st.integers(0, HOURS))
@settings(max_examples=40)
def test_a_forecast_of_a_change_equals_repricing_after_it(
    storage: Storage, desired: list[Rule], since: int
) -> None:
    begin = given.hour(since)
    now = given.hour(HOURS + 0.5)
    book = storage.rules.read()
    try:
        new_book = what_if.build_book(book, desired, begin)
    except errors.OperatorError:
        return
    new_prices = PriceList(MODULES, new_book)
    differences = what_if.price_differences(storage.reports, new_prices, begin)
    plan = hashmap.plan(storage.rules, desired, CALENDAR, now, begin, retroactive=True)
    version = hashmap.make_change(storage.rules, plan, now, "ann")
    assert set(storage.rules.read().rules) == set(new_book.rules)
    sums: dict[tuple[str, str], Decimal] = {}
    stored: dict[tuple[str, str], Decimal] = {}
    rows = list(storage.reports.frames(Selection(begin, scopes=ALL_SCOPES)))
    price_list = PriceList(MODULES, storage.rules.read())
    for frames, rated in stored_usage.price_stored_usage(rows, price_list):
        for row, price in zip(frames, rated.prices, strict=True):
            key = (row.scope, row.metric)
            sums[key] = EXACT.add(sums.get(key, ZERO), price)
            stored[key] = EXACT.add(stored.get(key, ZERO), row.price)
    assert {(entry.scope, entry.metric): entry.new for entry in differences} == sums
    assert {(entry.scope, entry.metric): entry.stored for entry in differences} == stored
    assert sum(entry.frames for entry in differences) == len(rows)
    assert version == book.version + 1
