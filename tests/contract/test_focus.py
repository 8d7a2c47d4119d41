"""An export as FOCUS is the ledger of its time, to the last digit, and names the right rules."""

from __future__ import annotations

import datetime
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest

from ratekit import errors
from ratekit.admin.explain import PastRules
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.task import TaskKind
from ratekit.domain.rules import public_id
from ratekit.domain.rules.explanation import Explanation, RuleVerdict
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.series import RatedSeries, Series
from ratekit.export.focus.skus import Memory, SkuFinder
from ratekit.interfaces import Pricer, RatingModule, Storage
from ratekit.rating.hashmap import Hashmap
from tests import focus_export
from tests.contract import given, test_explaining
from tests.contract.given import HOUR, START, hour
from tests.fakes import FakeModule
from tests.focus_export import add_up, build_order, read, write
from tests.reprocessing_bench import ReprocessingBench

#: Where the clocks go forward on 29 March.
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@pytest.fixture
def busy_ledger(storage: Storage) -> list[FrameRow]:
    """Frames of a day, whose rules were changed for the past and for the future all the time."""
    random = Random(14)
    test_explaining.change(storage, random, 0, None, count=80)
    rater = test_explaining.build_rater(storage, random)
    for begin in range(0, test_explaining.HOURS, 6):
        test_explaining.rate(storage, rater, begin, 6)
        test_explaining.change(storage, random, begin + 6, hour(begin + 6), count=8)
        past = hour(random.randint(0, begin + 5))
        test_explaining.change(storage, random, begin + 6, past, count=40)
    return test_explaining.frames(storage)


def rule_ids(explanation: Explanation) -> set[str]:
    """Return the ids of the rules that made a price, as the API shows them, with versions."""
    [module] = explanation.modules
    matches = [match for group in module.groups or () for match in group.matches]
    for verdict in (RuleVerdict.COUNTS, RuleVerdict.NOTHING):
        rules = [match.rule for match in matches if match.verdict is verdict]
        if rules:
            return {f"{line_id(rule)}.{rule.id}" for rule in rules}
    return set()


def line_id(rule: Rule) -> str:
    kind = IdKind.MAPPING if isinstance(rule, MappingRule) else IdKind.THRESHOLD
    number = rule.id if rule.line is None else rule.line
    assert number is not None
    return public_id.encode(kind, number)


def test_each_frame_is_a_charge_by_the_rules_that_explain_it(
    storage: Storage, busy_ledger: list[FrameRow]
) -> None:
    rows = read(write(storage, build_order("hour")))
    assert len(rows) == len(busy_ledger)
    rules = PastRules(storage.rules, [Hashmap()])
    for row, frame in zip(rows, busy_ledger, strict=True):
        assert Decimal(row["BilledCost"]) == frame.price
        assert Decimal(row["ConsumedQuantity"]) == frame.quantity
        assert (row["SubAccountId"], row["SkuMeter"]) == (frame.scope, frame.metric)
        origin = rules.origin(frame)
        assert origin.matches
        ids = rule_ids(origin.explanation)
        words = row["SkuPriceId"].split("+")
        assert (set(words) if "/" not in row["SkuPriceId"] else set()) == ids
        assert row["SkuId"].split("+") == [word.split(".")[0] for word in words]
    assert {row["PricingUnit"] for row in rows} == {"u", "Charges"}


@pytest.mark.parametrize("granularity", ["hour", "day", "month"])
@pytest.mark.parametrize("zone", [datetime.UTC, BERLIN])
def test_charges_add_up_to_the_summary_by_scope_metric_and_time(
    storage: Storage, busy_ledger: list[FrameRow], granularity: str, zone: datetime.tzinfo
) -> None:
    order = build_order(granularity, begin=START - 3 * HOUR, zone=zone)
    rows = read(write(storage, order))
    ledger = focus_export.charge_ledger(storage, order)
    if granularity != "hour":
        # The first period starts where the export does, or the frames do.
        first = min(key[2] for key in ledger)
        begin = "2026-02-28T21:00:00Z"
        ledger = {
            (*key[:2], begin if key[2] == first and first < begin else key[2]): sums
            for key, sums in ledger.items()
        }
    assert focus_export.charge_export(rows) == ledger
    assert add_up(rows) == sum((Fraction(frame.price) for frame in busy_ledger), Fraction(0))
    assert len(rows) < len(busy_ledger) or granularity == "hour"


def test_only_the_selected_scopes_are_in_it(storage: Storage, busy_ledger: list[FrameRow]) -> None:
    rows = read(write(storage, build_order("day", scopes=frozenset({"p2", "nobody"}))))
    assert {row["SubAccountId"] for row in rows} == {"p2"}
    prices = [Fraction(frame.price) for frame in busy_ledger if frame.scope == "p2"]
    assert add_up(rows) == sum(prices)
    assert read(write(storage, build_order("day", scopes=frozenset()))) == []


# Single prices ------------------------------------------------------------------------------


def set_rules(storage: Storage, *rules: Rule, now: float = 0) -> None:
    storage.rules.change(storage.rules.read().version, [], rules, given.note(hour(now)))


def flat(
    cost: str, value: str | None = None, start: datetime.datetime | None = None
) -> MappingRule:
    terms = Terms(Decimal(cost), CostType.FLAT, start=start)
    return MappingRule(RuleTarget("instance", value and "flavor"), value, terms)


def rate_one(
    storage: Storage, quantity: str, price: str, metadata: dict[str, str | None] | None = None
) -> None:
    series = given.build_series(
        "p1", [(quantity, price)], labels={"id": "r1"}, metadata=metadata or {}
    )
    states, version = given.list_scopes(storage, "p1"), storage.rules.read().version
    storage.ledger.commit(given.batch(states, series, rules=version))


def test_a_price_of_a_rule_is_a_price_of_a_unit(storage: Storage) -> None:
    set_rules(storage, flat("0.02", "m1"))
    rate_one(storage, "0.333333333333333333", "0.00666666666666666666", {"flavor": "m1"})
    [row] = read(write(storage, build_order()))
    assert row["PricingQuantity"] == row["ConsumedQuantity"] == "0.333333333333333333"
    assert (row["ListUnitPrice"], row["BilledCost"]) == ("0.02", "0.00666666666666666666")
    [rule] = storage.rules.read().rules
    assert row["SkuId"] == line_id(rule)
    assert row["SkuPriceId"] == f"{line_id(rule)}.{rule.id}"
    assert row["ChargeDescription"] == "instance: instance.flavor=m1 flat 0.02"
    assert row["SkuPriceDetails"] == '{"x_Rules": "instance.flavor=m1 flat 0.02"}'
    assert row["ChargeClass"] == ""


def test_a_new_cost_of_a_rule_is_a_new_price_of_the_same_sku(storage: Storage) -> None:
    set_rules(storage, flat("1"))
    [old] = storage.rules.read().rules
    new = MappingRule(
        old.target, None, Terms(Decimal(2), CostType.FLAT, start=hour(1)), line=old.line or old.id
    )
    storage.rules.change(1, [(old, hour(1))], [new], given.note())
    series = given.build_series("p1", [("1", "1"), ("1", "2"), ("1", "2")])
    states = given.list_scopes(storage, "p1")
    storage.ledger.commit(given.batch(states, series, periods=given.window(3), rules=2))
    rows = read(write(storage, build_order("day")))
    assert [(row["x_FrameCount"], row["BilledCost"]) for row in rows] == [("1", "1"), ("2", "4")]
    assert len({row["SkuId"] for row in rows}) == 1
    assert len({row["SkuPriceId"] for row in rows}) == 2


def test_a_flat_cost_of_a_threshold_is_a_charge_of_its_own(storage: Storage) -> None:
    terms = Terms(Decimal("0.5"), CostType.FLAT)
    set_rules(storage, flat("1"), ThresholdRule(RuleTarget("instance"), Decimal(2), terms))
    rate_one(storage, "3", "3.5")
    [row] = read(write(storage, build_order()))
    assert (row["PricingQuantity"], row["PricingUnit"]) == ("1", "Charges")
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == ("3", "instance")
    assert row["ListUnitPrice"] == "3.5"
    assert row["SkuPriceId"].count("+") == 1


def test_a_discount_has_a_quantity_below_zero(storage: Storage) -> None:
    rebate = MappingRule(RuleTarget("instance"), None, Terms(Decimal("-0.5"), CostType.RATE))
    set_rules(storage, flat("2", "m1"), rebate)
    rate_one(storage, "3", "-3", {"flavor": "m1"})
    [row] = read(write(storage, build_order()))
    assert (row["BilledCost"], row["ListUnitPrice"], row["PricingQuantity"]) == ("-3", "1", "-3")
    assert row["ConsumedQuantity"] == "3"


@pytest.mark.parametrize(
    ("price", "sku"),
    [("0", "instance/none"), ("7", "instance/unknown"), ("-7", "instance/unknown")],
)
def test_usage_without_a_rule_says_so(storage: Storage, price: str, sku: str) -> None:
    rate_one(storage, "1", price)
    [row] = read(write(storage, build_order()))
    assert (row["SkuId"], row["SkuPriceId"], row["BilledCost"]) == (sku, sku, price)
    assert row["ChargeDescription"] == "instance"


def test_free_usage_names_the_rule_that_makes_it_free(storage: Storage) -> None:
    set_rules(storage, flat("0"))
    rate_one(storage, "1", "0")
    [row] = read(write(storage, build_order()))
    [rule] = storage.rules.read().rules
    assert (row["SkuId"], row["ListUnitPrice"]) == (line_id(rule), "0")


# Ranges -------------------------------------------------------------------------------------


def test_nothing_in_the_range_is_a_file_without_charges(storage: Storage) -> None:
    assert read(write(storage, build_order())) == []
    rate_one(storage, "1", "0")
    for begin, end in ((START - 9 * HOUR, START), (hour(1), hour(9))):
        assert read(write(storage, build_order(begin=begin, end=end))) == []
    text = write(storage, build_order(end=START))
    assert text.splitlines()[0].startswith("AvailabilityZone,BilledCost,BillingAccountId,")


def test_a_bill_never_lacks_what_was_purged(storage: Storage) -> None:
    rate_one(storage, "1", "0")
    storage.purge.start(hour(1), totals=False)
    with pytest.raises(
        errors.OperatorError, match="frames before 2026-03-01T01:00:00Z were purged"
    ):
        write(storage, build_order())
    assert read(write(storage, build_order(begin=hour(1)))) == []


def test_a_purge_while_it_is_written_is_an_error(storage: Storage) -> None:
    rate_one(storage, "1", "0")
    bill = focus_export.open_bill(storage, build_order())
    rows = bill.rows()
    next(rows)
    storage.purge.start(hour(1), totals=False)
    with pytest.raises(errors.OperatorError, match="purged"):
        list(rows)


# Time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TaskKind)
def test_before_and_after_reprocessing_it_adds_up_to_the_ledger_of_its_time(
    url: str, kind: TaskKind
) -> None:
    bench = ReprocessingBench(url)
    bench.rate("p1", "p2", count=6)
    order = build_order("day")
    totals = []
    for round_ in range(2):
        rows = read(write(bench.storage, order))
        assert add_up(rows) == given.total(bench.storage)[1]
        assert {row["ChargeClass"] for row in rows} == {""}
        totals.append(add_up(rows))
        if not round_:
            bench.queue("p1", begin=1, end=5, kind=kind)
            bench.reprocessor.finish()
    # 2 metrics, 2 resources, 4 hours at 5 instead of 1.
    assert totals[1] - totals[0] == 2 * 2 * 4 * 4


@pytest.mark.parametrize("step", [HOUR / 12, 2 * HOUR, 7 * HOUR, 24 * HOUR])
@pytest.mark.parametrize("granularity", ["hour", "day", "month"])
def test_periods_of_any_length_are_charged_once(
    storage: Storage, step: datetime.timedelta, granularity: str
) -> None:
    periods = Window(period.ceiling(START, step), step, 30)
    labels = {"project_id": "p1"}
    points = [(begin, Decimal(1)) for begin in periods.begins()]
    series = Series("p1", "instance", "instance", labels, {}, points)
    prices = [Decimal(number) for number in range(30)]
    states = given.list_scopes(storage, "p1", start=periods.begin, resume=periods.begin)
    storage.ledger.commit(given.batch(states, RatedSeries(series, prices), periods=periods))
    conf = focus_export.build_conf(collect__period=int(step.total_seconds()))
    order = build_order(granularity)
    rows = read(write(storage, order, conf))
    assert add_up(rows) == sum(range(30))
    begins = sorted({row["ChargePeriodStart"] for row in rows})
    ledger = focus_export.charge_ledger(storage, order)
    if granularity == "day" and step < 24 * HOUR:
        # The first day is charged from the first period on.
        assert begins[1:] == sorted({begin for _, _, begin in ledger})[1:]
    for row in rows:
        length = _instant(row["ChargePeriodEnd"]) - _instant(row["ChargePeriodStart"])
        assert length >= step


def _instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


# Other rating modules -----------------------------------------------------------------------


class SevenForUsage(FakeModule):
    """Charges 7 unless nothing was used."""

    def __init__(self) -> None:
        super().__init__(0)

    def compile(self, book: RuleBook) -> Pricer:
        """Return a pricer."""
        return lambda series, prices: [Decimal(7 * bool(quantity)) for _, quantity in series.points]


@pytest.mark.parametrize(
    ("modules", "price", "sku"),
    [
        ([FakeModule(5)], "5", "FakeModule"),
        ([Hashmap(), FakeModule(5)], "7", "{rule}+FakeModule"),
        # It added nothing.
        ([Hashmap(), FakeModule(0)], "2", "{rule}"),
        ([Hashmap(), FakeModule(5)], "8", "instance/unknown"),
    ],
)
def test_a_price_of_another_module_has_its_name_and_is_none_per_unit(
    storage: Storage, modules: list[RatingModule], price: str, sku: str
) -> None:
    set_rules(storage, flat("2"))
    rate_one(storage, "1", price)
    [frame] = test_explaining.frames(storage)
    [rule] = storage.rules.read().rules
    found = SkuFinder(PastRules(storage.rules, modules)).find(frame, {})
    assert found.sku_id == sku.format(rule=line_id(rule))
    assert found.unit_price == (2 if price == "2" else None)


def test_a_module_that_explains_nothing_may_charge_some_quantities_only(storage: Storage) -> None:
    series = given.build_series("p1", [("0", "0"), ("1", "7")])
    states = given.list_scopes(storage, "p1")
    storage.ledger.commit(given.batch(states, series, periods=given.window(2)))
    finder = SkuFinder(PastRules(storage.rules, [SevenForUsage()]))
    memory: Memory = {}
    ids = [finder.find(frame, memory).sku_id for frame in test_explaining.frames(storage)]
    assert ids == ["instance/none", "SevenForUsage"]
