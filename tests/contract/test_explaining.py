"""Every frame can be explained to the cent, whatever has become of the rules since."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest

from ratekit import errors
from ratekit.admin import explain
from ratekit.domain.period import Window
from ratekit.domain.reporting.reports import FrameRow, Selection
from ratekit.domain.rules.explanation import Explanation
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.batch import Batch
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.interfaces import Storage
from ratekit.processing.rater import Rater, Settings
from ratekit.rating.hashmap import Hashmap
from tests.contract import given
from tests.contract.given import HOUR, hour
from tests.fakes import FakeCollector, FakeModule
from tests.unit.collectors.gnocchi import test_response as gnocchi

SCOPES = ("p1", "p2", "p3", "p4")
SERVICES = ("instance", "volume", "traffic")
FLAVORS = ("m1", "m2", "m3", "\u00e9", None)
HOURS = 24
FRAMES = 1_000


class RandomUsage(FakeCollector):
    """Four servers a scope and metric, each with its labels; each uses something every hour."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    def collect(self, metric: Metric, window: Window, scopes: Collection[str]) -> Iterator[Series]:
        for scope in scopes:
            for number in range(4):
                groupby = {"project_id": scope, "id": f"r{number}"}
                flavor = FLAVORS[(number + len(metric.name)) % len(FLAVORS)]
                metadata = {"flavor": flavor, "vcpus": str(number)}
                points = [(begin, quantity(self._random)) for begin in window.begins()]
                yield Series(scope, metric.public_name, metric.unit, groupby, metadata, points)


def quantity(random: Random) -> Decimal:
    if random.random() < 0.5:
        return Decimal(random.randint(0, 6))
    return Decimal(random.randint(0, 10**19)).scaleb(-18)


def metric(name: str) -> Metric:
    return Metric(
        name, name, "unit", Fraction(1), Fraction(0), (), (), Mutate.NONE, extra_args=None
    )  # fmt: skip


def new_rule(random: Random, start: datetime.datetime | None) -> Rule:
    terms = Terms(
        cost=Decimal(random.randint(-(10**4), 10**6)).scaleb(-random.choice((0, 5, 20))),
        type=random.choice(tuple(CostType)),
        group=random.choice((None, "a")),
        scope=random.choice((None, None, *SCOPES)),
        start=start,
    )
    field = random.choice((None, "flavor", "vcpus", "day_of_the_year"))
    target = RuleTarget(random.choice(SERVICES), field)
    if random.random() < 0.4:
        return ThresholdRule(target, Decimal(random.randint(0, 5)), terms)
    values = {"flavor": ("m1", "m2", "\u00e9"), "vcpus": ("0", "1", "2")}
    value = random.choice(values.get(field, ("60", "61"))) if field is not None else None
    return MappingRule(target, value, terms)


def key(rule: Rule) -> object:
    mark = rule.level if isinstance(rule, ThresholdRule) else rule.value
    return type(rule), rule.target, mark, rule.terms.group, rule.terms.scope


def change(
    storage: Storage, random: Random, now: int, at: datetime.datetime | None, count: int
) -> None:
    """Open rules from a time on, in place of those of equal identity; at an hour."""
    book = storage.rules.read()
    open_now = {key(rule): rule for rule in book.rules if rule.terms.end is None}
    added = {key(rule): rule for rule in (new_rule(random, at) for _ in range(count))}
    close = []
    for one in added.keys() & open_now.keys():
        old = open_now[one]
        assert at is not None, "the first rules replace none"
        close.append((old, max(at, old.terms.start or at)))
    note = ChangeNote(hour(now), "ann@example", "a change", retroactive=at is not None)
    storage.rules.change(book.version, close, list(added.values()), note)


def rate(storage: Storage, rater: Rater, begin: int, count: int) -> None:
    states = given.listed(storage, *SCOPES)
    rater.rate(Batch(Window(hour(begin), HOUR, count), states))


def rater_of(storage: Storage, random: Random) -> Rater:
    settings = Settings(
        metrics=[metric(name) for name in SERVICES],
        side_by_side=lambda call, items: [call(one) for one in items],
        batch_seconds=1,
        batch_frames=10**6,
        backoff=Backoff(HOUR, HOUR),
    )
    return Rater(RandomUsage(random), [Hashmap()], storage.ledger, storage.rules, settings)


def frames(storage: Storage) -> list[FrameRow]:
    return list(storage.reports.frames(Selection()))


def added_up(explanation: Explanation) -> Fraction:
    """The price as whoever reads the explanation would compute it."""
    [module] = explanation.modules
    assert module.groups is not None
    total = sum((Fraction(one.price) for one in module.groups), Fraction(0))
    return Fraction(round(total * 10**28), 10**28)


def test_a_thousand_frames_are_explained_to_the_digit_after_any_change(storage: Storage) -> None:
    random = Random(20_26)
    change(storage, random, 0, None, count=80)
    rater = rater_of(storage, random)
    for begin in range(0, HOURS, 6):
        rate(storage, rater, begin, 6)
        # From the next hour on, as planned changes are; then in the middle of what is rated.
        change(storage, random, begin + 6, hour(begin + 6), count=8)
        change(storage, random, begin + 6, hour(random.randint(0, begin + 5)), count=40)
    rows = frames(storage)
    assert len(rows) == HOURS * len(SCOPES) * len(SERVICES) * 4
    undone = 0
    rules = explain.PastRules(storage.rules, [Hashmap()])
    for row in random.sample(rows, FRAMES):
        origin = rules.origin(row)
        assert origin.matches
        assert origin.explanation.price == row.price
        assert added_up(origin.explanation) == Fraction(row.price)
        undone += origin.change is not None
        assert (origin.newest.price == row.price) == (origin.change is None)
    # Both kinds are among them: changes did reach back, and did not reach everything.
    assert FRAMES / 10 < undone < FRAMES * 9 / 10


@pytest.fixture
def charged(storage: Storage) -> FrameRow:
    """A frame that cost 2 when it was rated."""
    rule = MappingRule(RuleTarget("instance"), None, Terms(Decimal(2), CostType.FLAT))
    storage.rules.change(0, [], [rule], given.note())
    states = given.listed(storage, "p1")
    storage.ledger.commit(given.batch(states, given.rated("p1", [("1", "2")]), rules=1))
    [row] = frames(storage)
    return row


def replaced(storage: Storage, at: datetime.datetime, cost: int, comment: str) -> None:
    book = storage.rules.read()
    [old] = [rule for rule in book.rules if rule.terms.end is None]
    terms = dataclasses.replace(old.terms, cost=Decimal(cost), start=at)
    note = ChangeNote(hour(cost), "ann@example", comment, retroactive=True)
    new = dataclasses.replace(old, terms=terms, id=None)
    storage.rules.change(book.version, [(old, at)], [new], note)


def test_a_change_from_now_on_leaves_the_newest_rules_responsible(
    storage: Storage, charged: FrameRow
) -> None:
    replaced(storage, hour(1), 3, "dearer")
    origin = explain.PastRules(storage.rules, [Hashmap()]).origin(charged)
    assert (origin.matches, origin.change, origin.explanation.version) == (True, None, 2)


def test_the_change_that_took_the_price_away_is_named_not_later_ones(
    storage: Storage, charged: FrameRow
) -> None:
    replaced(storage, given.START, 3, "dearer")
    replaced(storage, given.START + 5 * HOUR, 4, "later")
    replaced(storage, given.START + 6 * HOUR, 5, "latest")
    origin = explain.PastRules(storage.rules, [Hashmap()]).origin(charged)
    assert origin.matches
    assert origin.change is not None
    assert (origin.change.comment, origin.explanation.version) == ("dearer", 1)
    assert [int(one.price) for one in (origin.explanation, origin.newest)] == [2, 3]
    [group] = (origin.explanation.modules[0].groups) or ()
    # As it was then: without the end that it has now.
    assert [one.rule.terms.end for one in group.matches] == [None]


def test_rules_that_were_changed_before_the_period_began_never_rated_it(
    storage: Storage, charged: FrameRow
) -> None:
    replaced(storage, given.START, 3, "dearer")
    later = dataclasses.replace(charged, begin=hour(4))
    assert not explain.PastRules(storage.rules, [Hashmap()]).origin(later).matches


def test_a_price_that_no_rules_give_is_said_to_be_none(storage: Storage, charged: FrameRow) -> None:
    for modules in ([Hashmap(), FakeModule(5)], [FakeModule(1)]):
        origin = explain.PastRules(storage.rules, modules).origin(charged)
        assert not origin.matches
        assert origin.change is None
        assert origin.explanation is origin.newest


def test_every_quantity_is_told_from_the_same_history_that_it_was_collected_from(
    storage: Storage,
) -> None:
    resized = gnocchi.instance("r1", [(-600, "p1", "a"), (20, "p1", "b")], {0: 6.0, 60: 7.0})
    unknown = gnocchi.instance("r2", [(-600, "p1", "a"), (90, "p1", "")], {0: 0.1, 60: 0.2})
    cloud = gnocchi.collector(resized, unknown)
    of, window = gnocchi.metric(metadata=("flavor", "no such label")), Window(gnocchi.SIX, HOUR, 2)
    [state] = given.listed(storage, "p1", now=gnocchi.SIX, start=gnocchi.SIX)
    collected = [
        RatedSeries(one, [Decimal(1)] * len(one.points))
        for one in cloud.collect(of, window, ["p1"])
    ]
    storage.ledger.commit(given.batch([state], *collected, periods=window))
    rows = frames(storage)
    assert len(rows) == 6
    for row in rows:
        steps = explain.reduction(row, of, cloud, Window(row.begin, HOUR, 1))
        assert explain.quantity(steps) == row.quantity


# Which frame --------------------------------------------------------------------------------


@pytest.fixture
def several(storage: Storage) -> None:
    """Three servers in an hour, of which two differ in their resource only."""
    states = given.listed(storage, "p1")
    usages = [
        given.rated("p1", [("1", str(price))], labels={"id": id_}, metadata={"flavor": flavor})
        for price, id_, flavor in ((1, "r1", "m1"), (2, "r2", "m1"), (3, "r3", None))
    ]
    storage.ledger.commit(given.batch(states, *usages))


def found(
    storage: Storage, labels: dict[str, str], resource: str | None = None, begin: int = 0
) -> int:
    wanted = explain.FrameQuery("p1", "instance", hour(begin), labels, resource)
    return int(explain.find(storage.reports, wanted, Calendar(HOUR, 2)).price)


@pytest.mark.usefixtures("several")
def test_a_frame_is_found_by_its_resource_or_labels(storage: Storage) -> None:
    assert found(storage, {}, resource="r2") == 2
    assert found(storage, {"id": "r1"}) == 1
    assert found(storage, {"flavor": ""}) == 3
    assert found(storage, {"flavor": "m1"}, resource="r1") == 1


@pytest.mark.usefixtures("several")
def test_a_time_within_a_period_finds_what_was_charged_for_it(storage: Storage) -> None:
    wanted = explain.FrameQuery("p1", "instance", hour(0.75), {"id": "r1"})
    assert explain.find(storage.reports, wanted, Calendar(HOUR, 2)).begin == hour(0)
    # What begins then comes first, whatever the periods are now.
    wanted = dataclasses.replace(wanted, begin=hour(0))
    assert explain.find(storage.reports, wanted, Calendar(7 * HOUR, 2)).begin == hour(0)


@pytest.mark.usefixtures("several")
def test_where_several_match_it_says_what_tells_them_apart(storage: Storage) -> None:
    with pytest.raises(errors.OperatorError) as error:
        found(storage, {"flavor": "m1"})
    assert str(error.value).splitlines() == [
        "2 frames of instance of scope p1 in the period starting at 2026-03-01T00:00:00Z; choose "
        "one by its labels:",
        "  id=r1",
        "  id=r2",
    ]


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("labels", "resource", "begin", "expected"),
    [
        ({"flavour": "m1"}, None, 0, "none has a label 'flavour' .*'flavor'.*: 3 frames of inst"),
        ({"flavor": "m1.big"}, None, 0, "none has flavor=m1.big"),
        ({}, "r11", 0, "none is of 'r11' .did you mean 'r1'"),
        ({"flavor": ""}, "r1", 0, "none has all of these labels: 3 frames"),
        ({}, None, 1, "no frame of instance of scope p1 .* 2026-03-01T01:00:00Z"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(
    storage: Storage, labels: dict[str, str], resource: str | None, begin: int, expected: str
) -> None:
    with pytest.raises(errors.OperatorError, match=expected):
        found(storage, labels, resource, begin)
