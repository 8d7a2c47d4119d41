"""Every frame can be explained to the last digit, whatever rules have changed since."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest

from ratekit import errors
from ratekit.admin import explain
from ratekit.domain.period import Window
from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow, Selection
from ratekit.domain.rules.explanation import Explanation
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.batch import Batch
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.series import RatedSeries, Series, Shared
from ratekit.domain.usage.metric import Metric
from ratekit.interfaces import Storage
from ratekit.pricing.price_list import PriceList
from ratekit.pricing.stored_usage import price_stored_usage
from ratekit.processing.rater import Rater, Settings
from ratekit.rating.hashmap import Hashmap
from tests.builders import metric
from tests.contract import given
from tests.contract.given import HOUR, hour
from tests.fakes import FakeCollector, FakeModule
from tests.unit.collectors.gnocchi import test_response as gnocchi

SCOPES = ("p1", "p2", "p3", "p4")
METRICS = ("instance", "volume", "traffic")
FLAVORS = ("m1", "m2", "m3", "\u00e9", None)
HOURS = 24
FRAMES = 1_000


class RandomUsage(FakeCollector):
    """Four resources for each scope and metric, with usage in every hour; half of it is shared."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    def collect(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[Series]:
        for scope in scopes:
            for number in range(4):
                groupby = {"project_id": scope, "id": f"r{number}"}
                flavor = FLAVORS[(number + len(metric.name)) % len(FLAVORS)]
                metadata = {"flavor": flavor, "vcpus": str(number)}
                points = [(begin, quantity(self._random)) for begin in window.begins()]
                shared = {
                    begin: Shared(quantity(self._random), random_share(self._random))
                    for begin in window.begins()
                    if self._random.random() < 0.5
                }
                labels = groupby, metadata
                yield Series(scope, metric.public_name, metric.unit, *labels, points, shared)


def quantity(random: Random) -> Decimal:
    if random.random() < 0.5:
        return Decimal(random.randint(0, 6))
    return Decimal(random.randint(0, 10**19)).scaleb(-18)


def random_share(random: Random) -> Decimal:
    return Decimal(random.randint(1, 10**18)).scaleb(-18)


def new_rule(random: Random, start: datetime.datetime | None) -> Rule:
    terms = Terms(
        cost=Decimal(random.randint(-(10**4), 10**6)).scaleb(-random.choice((0, 5, 20))),
        type=random.choice(tuple(CostType)),
        group=random.choice((None, "a")),
        scope=random.choice((None, None, *SCOPES)),
        start=start,
    )
    label = random.choice((None, "flavor", "vcpus", "day_of_the_year"))
    target = RuleTarget(random.choice(METRICS), label)
    if random.random() < 0.4:
        return ThresholdRule(target, Decimal(random.randint(0, 5)), terms)
    values = {"flavor": ("m1", "m2", "\u00e9"), "vcpus": ("0", "1", "2")}
    value = random.choice(values.get(label, ("60", "61"))) if label is not None else None
    return MappingRule(target, value, terms)


def identity(rule: Rule) -> object:
    content = rule.level if isinstance(rule, ThresholdRule) else rule.value
    return type(rule), rule.target, content, rule.terms.group, rule.terms.scope


def change(
    storage: Storage, random: Random, now: int, at: datetime.datetime | None, count: int
) -> None:
    """Add random rules from a time on, in place of those of equal identity."""
    book = storage.rules.read()
    without_end = {identity(rule): rule for rule in book.rules if rule.terms.end is None}
    added = {identity(rule): rule for rule in (new_rule(random, at) for _ in range(count))}
    close = []
    for key in added.keys() & without_end.keys():
        old = without_end[key]
        assert at is not None, "the first rules replace none"
        close.append((old, max(at, old.terms.start or at)))
    note = ChangeNote(hour(now), "ann@example", "a change", retroactive=at is not None)
    storage.rules.change(book.version, close, list(added.values()), note)


def rate(storage: Storage, rater: Rater, begin: int, count: int) -> None:
    states = given.list_scopes(storage, *SCOPES)
    rater.rate(Batch(Window(hour(begin), HOUR, count), states))


def build_rater(storage: Storage, random: Random) -> Rater:
    settings = Settings(
        metrics=[metric(name) for name in METRICS],
        for_each_metric=lambda call, metrics: list(map(call, metrics)),
        batch_seconds=1,
        batch_frames=10**6,
        backoff=Backoff(HOUR, HOUR),
    )
    return Rater(RandomUsage(random), [Hashmap()], storage.ledger, storage.rules, settings)


def frames(storage: Storage) -> list[FrameRow]:
    return list(storage.reports.frames(Selection(scopes=ALL_SCOPES)))


def sum_groups(explanation: Explanation) -> Fraction:
    """Return the price as a reader of the explanation would compute it."""
    [module] = explanation.modules
    assert module.groups is not None
    total = sum((Fraction(group.price) for group in module.groups), Fraction(0))
    return Fraction(round(total * 10**28), 10**28)


def test_a_thousand_frames_are_explained_to_the_digit_after_any_change(storage: Storage) -> None:
    random = Random(20_26)
    change(storage, random, 0, None, count=80)
    rater = build_rater(storage, random)
    for begin in range(0, HOURS, 6):
        rate(storage, rater, begin, 6)
        # From the next hour on, as a planned change; then within the rated periods.
        change(storage, random, begin + 6, hour(begin + 6), count=8)
        change(storage, random, begin + 6, hour(random.randint(0, begin + 5)), count=40)
    rows = frames(storage)
    assert len(rows) == HOURS * len(SCOPES) * len(METRICS) * 4
    reverted = 0
    rules = explain.PastRules(storage.rules, [Hashmap()])
    for row in random.sample(rows, FRAMES):
        origin = rules.origin(row)
        assert origin.matches
        assert origin.explanation.price == row.price
        assert sum_groups(origin.explanation) == Fraction(row.price)
        reverted += origin.change is not None
        assert (origin.newest.price == row.price) == (origin.change is None)
    # Some prices were changed later, and some were not.
    assert FRAMES / 10 < reverted < FRAMES * 9 / 10


def test_stored_usage_costs_what_it_cost_in_live_rating(storage: Storage) -> None:
    random = Random(2026)
    change(storage, random, 0, None, count=80)
    rate(storage, build_rater(storage, random), 0, 6)
    rows = frames(storage)
    # Thresholds on the quantity count in some of them, so that wholes and shares matter.
    assert len({row.shared is None for row in rows}) == 2
    assert prices_without_shares(storage, rows) != [row.price for row in rows]
    for group, rated in price_stored_usage(rows, price_list(storage)):
        assert list(rated.prices) == [row.price for row in group]


def price_list(storage: Storage) -> PriceList:
    return PriceList([Hashmap()], storage.rules.read())


def prices_without_shares(storage: Storage, rows: Sequence[FrameRow]) -> list[Decimal]:
    plain_rows = [dataclasses.replace(row, shared=None) for row in rows]
    new_prices = {
        id(row): price
        for group, rated in price_stored_usage(plain_rows, price_list(storage))
        for row, price in zip(group, rated.prices, strict=True)
    }
    return [new_prices[id(row)] for row in plain_rows]


@pytest.fixture
def frame(storage: Storage) -> FrameRow:
    """Return a frame that was rated at a price of 2."""
    rule = MappingRule(RuleTarget("instance"), None, Terms(Decimal(2), CostType.FLAT))
    storage.rules.change(0, [], [rule], given.note())
    states = given.list_scopes(storage, "p1")
    storage.ledger.commit(given.batch(states, given.build_series("p1", [("1", "2")]), rules=1))
    [row] = frames(storage)
    return row


def replace_rule(storage: Storage, at: datetime.datetime, cost: int, comment: str) -> None:
    book = storage.rules.read()
    [old] = [rule for rule in book.rules if rule.terms.end is None]
    terms = dataclasses.replace(old.terms, cost=Decimal(cost), start=at)
    note = ChangeNote(hour(cost), "ann@example", comment, retroactive=True)
    new = dataclasses.replace(old, terms=terms, id=None)
    storage.rules.change(book.version, [(old, at)], [new], note)


def test_a_change_from_now_on_leaves_the_newest_rules_responsible(
    storage: Storage, frame: FrameRow
) -> None:
    replace_rule(storage, hour(1), 3, "more expensive")
    origin = explain.PastRules(storage.rules, [Hashmap()]).origin(frame)
    assert (origin.matches, origin.change, origin.explanation.version) == (True, None, 2)


def test_the_first_change_of_the_price_is_named(storage: Storage, frame: FrameRow) -> None:
    replace_rule(storage, given.START, 3, "more expensive")
    replace_rule(storage, given.START + 5 * HOUR, 4, "later")
    replace_rule(storage, given.START + 6 * HOUR, 5, "latest")
    origin = explain.PastRules(storage.rules, [Hashmap()]).origin(frame)
    assert origin.matches
    assert origin.change is not None
    assert (origin.change.comment, origin.explanation.version) == ("more expensive", 1)
    assert [int(part.price) for part in (origin.explanation, origin.newest)] == [2, 3]
    [group] = (origin.explanation.modules[0].groups) or ()
    # The rule of that time has no end yet.
    assert [match.rule.terms.end for match in group.matches] == [None]


def test_rules_that_were_changed_before_the_period_began_never_rated_it(
    storage: Storage, frame: FrameRow
) -> None:
    replace_rule(storage, given.START, 3, "more expensive")
    later = dataclasses.replace(frame, begin=hour(4))
    assert not explain.PastRules(storage.rules, [Hashmap()]).origin(later).matches


def test_a_price_that_no_rules_give_has_no_match(storage: Storage, frame: FrameRow) -> None:
    for modules in ([Hashmap(), FakeModule(5)], [FakeModule(1)]):
        origin = explain.PastRules(storage.rules, modules).origin(frame)
        assert not origin.matches
        assert origin.change is None
        assert origin.explanation is origin.newest


def test_every_quantity_is_explained_from_the_history_it_was_collected_from(
    storage: Storage,
) -> None:
    resized = gnocchi.instance("r1", [(-600, "p1", "a"), (20, "p1", "b")], {0: 6.0, 60: 7.0})
    unknown = gnocchi.instance("r2", [(-600, "p1", "a"), (90, "p1", "")], {0: 0.1, 60: 0.2})
    cloud = gnocchi.collector(resized, unknown)
    of, window = gnocchi.metric(metadata=("flavor", "no such label")), Window(gnocchi.SIX, HOUR, 2)
    [state] = given.list_scopes(storage, "p1", now=gnocchi.SIX, start=gnocchi.SIX)
    collected = [
        RatedSeries(series, [Decimal(1)] * len(series.points))
        for series in cloud.collect(of, window, ["p1"])
    ]
    storage.ledger.commit(given.batch([state], *collected, periods=window))
    rows = frames(storage)
    assert len(rows) == 6
    for row in rows:
        steps = explain.reduction(row, of, cloud, Window(row.begin, HOUR, 1))
        assert explain.quantity(steps) == row.quantity


# Which frame --------------------------------------------------------------------------------


@pytest.fixture
def three_frames(storage: Storage) -> None:
    """Rate three servers in one hour; two of them differ only in their resource."""
    states = given.list_scopes(storage, "p1")
    usages = [
        given.build_series(
            "p1", [("1", str(price))], labels={"id": id_}, metadata={"flavor": flavor}
        )
        for price, id_, flavor in ((1, "r1", "m1"), (2, "r2", "m1"), (3, "r3", None))
    ]
    storage.ledger.commit(given.batch(states, *usages))


def find_price(
    storage: Storage, labels: dict[str, str | None], resource: str | None = None, begin: int = 0
) -> int:
    query = explain.FrameQuery("p1", "instance", hour(begin), labels, resource)
    return int(explain.find(storage, query, Calendar(HOUR, 2)).price)


@pytest.mark.usefixtures("three_frames")
def test_a_frame_is_found_by_its_resource_or_labels(storage: Storage) -> None:
    assert find_price(storage, {}, resource="r2") == 2
    assert find_price(storage, {"id": "r1"}) == 1
    assert find_price(storage, {"flavor": None}) == 3
    assert find_price(storage, {"flavor": "m1"}, resource="r1") == 1


@pytest.mark.usefixtures("three_frames")
def test_a_time_within_a_period_finds_the_frame_of_the_period(storage: Storage) -> None:
    query = explain.FrameQuery("p1", "instance", hour(0.75), {"id": "r1"})
    assert explain.find(storage, query, Calendar(HOUR, 2)).begin == hour(0)
    # A frame that begins then takes precedence, whatever the length of a period is now.
    query = dataclasses.replace(query, begin=hour(0))
    assert explain.find(storage, query, Calendar(7 * HOUR, 2)).begin == hour(0)


@pytest.mark.usefixtures("three_frames")
def test_a_frame_that_was_purged_is_reported_as_such(storage: Storage) -> None:
    storage.purge.start(hour(1), totals=False)
    # Not yet removed.
    assert find_price(storage, {"id": "r1"}) == 1
    list(storage.purge.remove(9))
    for begin, reason in ((0, "what was rated before 2026-03-01T01:00:00Z was purged"), (1, "see")):
        with pytest.raises(errors.OperatorError, match=reason) as caught:
            find_price(storage, {"id": "r1"}, begin=begin)
        assert ("purged" in str(caught.value)) == (begin == 0)


@pytest.mark.usefixtures("three_frames")
def test_if_several_frames_match_their_different_labels_are_listed(storage: Storage) -> None:
    with pytest.raises(errors.OperatorError) as error:
        find_price(storage, {"flavor": "m1"})
    assert str(error.value).splitlines() == [
        "2 frames of instance of scope p1 in the period starting at 2026-03-01T00:00:00Z; choose "
        "one by its labels:",
        "  id=r1",
        "  id=r2",
    ]


@pytest.mark.usefixtures("three_frames")
@pytest.mark.parametrize(
    ("labels", "resource", "begin", "expected"),
    [
        ({"flavour": "m1"}, None, 0, "has a label 'flavour' .*'flavor'.*: 3, see"),
        ({"flavor": "m1.big"}, None, 0, "has flavor=m1.big"),
        ({}, "r11", 0, "has the value 'r11' in a .* .did you mean 'r1'"),
        ({"flavor": None}, "r1", 0, "has all of these labels; .*: 3, see"),
        ({}, None, 1, "no frame of instance of scope p1 .* 2026-03-01T01:00:00Z"),
    ],
)
def test_a_missing_frame_is_reported_with_similar_names(
    storage: Storage, labels: dict[str, str | None], resource: str | None, begin: int, expected: str
) -> None:
    with pytest.raises(errors.OperatorError, match=expected):
        find_price(storage, labels, resource, begin)
