"""Every rule store has rules, their history, and one version for all."""

from __future__ import annotations

import contextlib
import threading
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.period import EPOCH
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.interfaces import Storage
from tests.contract.conftest import Open
from tests.contract.given import START, batch, hour, list_scopes, note, statements

FLAVOR = RuleTarget("instance", "flavor_name")
VOLUME = RuleTarget("volume.size")


def terms(cost: str = "1", **fields: object) -> Terms:
    """Return terms with a flat cost."""
    return Terms(cost=Decimal(cost), type=CostType.FLAT, **fields)  # type: ignore[arg-type]


def small(cost: str = "0.02", **fields: object) -> MappingRule:
    """Return a price of the flavor m1.small."""
    return MappingRule(FLAVOR, "m1.small", terms(cost, **fields))


EVERY_KIND: list[Rule] = [
    small(group="uptime", scope="a" * 255, start=hour(0), end=hour(5)),
    MappingRule(FLAVOR, "Größe 東京", terms("0")),
    MappingRule(FLAVOR, "", terms("3")),
    MappingRule(FLAVOR, None, terms("4")),
    MappingRule(VOLUME, None, Terms(Decimal("-1.5"), CostType.RATE, group="uptime")),
    ThresholdRule(VOLUME, Decimal("1000"), Terms(Decimal("0.9"), CostType.RATE)),
    ThresholdRule(RuleTarget("instance", "ram"), Decimal("0.5"), terms(group="other")),
]


@pytest.mark.with_fake
class TestRead:
    def test_a_new_store_has_no_rules_at_version_0(self, storage: Storage) -> None:
        assert storage.rules.read() == RuleBook(0, ())

    def test_rules_of_every_kind_come_back_as_they_were(self, storage: Storage) -> None:
        version = storage.rules.change(0, [], EVERY_KIND, note())
        book = storage.rules.read()
        assert book == RuleBook(version, tuple(EVERY_KIND))
        ids = [rule.id for rule in book.rules]
        assert None not in ids
        assert ids == [rule.id for rule in storage.rules.read().rules]

    @pytest.mark.parametrize(
        "cost", ["999999999999." + "0" * 27 + "1", "1" * 37, "-0." + "0" * 27 + "1"]
    )
    def test_costs_and_levels_are_kept_to_the_last_digit(self, storage: Storage, cost: str) -> None:
        level = ThresholdRule(VOLUME, abs(Decimal(cost)), terms(cost))
        storage.rules.change(0, [], [small(cost), level], note())
        assert storage.rules.read().rules == (small(cost), level)

    @pytest.mark.databases_only
    def test_without_a_change_one_query_returns_the_last_book(self, storage: Storage) -> None:
        storage.rules.change(0, [], EVERY_KIND, note())
        book = storage.rules.read()
        with statements() as seen:
            assert storage.rules.read(book) is book
        assert len([statement for statement in seen if statement.startswith("SELECT")]) == 1

    @pytest.mark.databases_only
    def test_many_rules_take_as_many_queries_as_few(self, storage: Storage) -> None:
        rules = [
            MappingRule(
                RuleTarget(f"metric {number}", f"field {number}"), "x", terms(group=str(number))
            )
            for number in range(100)
        ]
        storage.rules.change(0, [], rules, note())
        with statements() as seen:
            assert len(storage.rules.read(RuleBook(0, ())).rules) == 100
        assert len([statement for statement in seen if statement.startswith("SELECT")]) <= 6


@pytest.mark.with_fake
class TestChange:
    def test_a_closed_rule_stays_with_its_end(self, storage: Storage) -> None:
        version = storage.rules.change(0, [], [small("1"), small("2", group="other")], note())
        first, second = storage.rules.read().rules
        storage.rules.change(
            version, [(first, hour(3))], [small("4", start=hour(3))], note(hour(2))
        )
        book = storage.rules.read()
        assert book == RuleBook(
            version + 1,
            (small("1", end=hour(3)), small("2", group="other"), small("4", start=hour(3))),
        )
        assert [rule.id for rule in book.rules][:2] == [first.id, second.id]

    def test_rules_may_share_the_targets_of_existing_rules(self, storage: Storage) -> None:
        version = storage.rules.change(0, [], EVERY_KIND, note())
        version = storage.rules.change(version, [], [*EVERY_KIND, *EVERY_KIND], note())
        rules = storage.rules.read().rules
        assert sorted(rules, key=repr) == sorted(EVERY_KIND * 3, key=repr)

    def test_a_change_made_for_an_older_version_writes_nothing(self, storage: Storage) -> None:
        version = storage.rules.change(0, [], [small()], note())
        (rule,) = storage.rules.read().rules
        with pytest.raises(errors.OperatorError, match="since version 0"):
            storage.rules.change(0, [(rule, hour(1))], [small("3")], note())
        assert storage.rules.read() == RuleBook(version, (small(),))

    def test_of_two_changes_at_once_one_is_rejected(
        self, storage: Storage, open_another: Open
    ) -> None:
        gate = threading.Barrier(2)
        failures: list[errors.OperatorError] = []

        def change(store: Storage, cost: str) -> None:
            gate.wait()
            try:
                store.rules.change(0, [], [small(cost)], note())
            except errors.OperatorError as error:
                failures.append(error)

        threads = [
            threading.Thread(target=change, args=(open_another(), cost)) for cost in ("1", "2")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(failures) == 1
        book = storage.rules.read()
        assert (book.version, len(book.rules)) == (1, 1)

    @pytest.mark.databases_only
    @pytest.mark.parametrize(
        "rule",
        [
            small("0." + "0" * 28 + "1"),
            small("1" + "0" * 37),
            small(scope="x" * 256),
            small(group="x" * 256),
            MappingRule(RuleTarget("x" * 256), None, terms()),
            ThresholdRule(VOLUME, Decimal("0." + "0" * 28 + "1"), terms()),
        ],
    )
    def test_a_rule_that_cannot_be_stored_is_rejected_with_all_others(
        self, storage: Storage, rule: Rule
    ) -> None:
        with pytest.raises(errors.OperatorError):
            storage.rules.change(0, [], [small(), rule], note())
        assert storage.rules.read() == RuleBook(0, ())

    def test_only_a_rule_of_the_store_can_be_closed(self, storage: Storage) -> None:
        with pytest.raises(ValueError, match="close"):
            storage.rules.change(0, [(small(), hour(1))], [], note())
        other = MappingRule(FLAVOR, "m1.small", terms(), id=12345)
        with pytest.raises(ValueError, match="close"):
            storage.rules.change(0, [(other, hour(1))], [], note())
        assert storage.rules.read().version == 0


@pytest.mark.with_fake
class TestUnrated:
    def test_a_change_for_an_unrated_ledger_is_made_before_the_first_rating(
        self, storage: Storage
    ) -> None:
        list_scopes(storage, "a")
        assert storage.rules.change(0, [], [small()], note(), unrated_since=EPOCH) == 1
        assert storage.rules.read().rules == (small(),)

    def test_a_change_for_an_unrated_ledger_is_rejected_after_the_first_rating(
        self, storage: Storage
    ) -> None:
        storage.ledger.commit(batch(list_scopes(storage, "a")))
        with pytest.raises(errors.OperatorError, match="has been rated"):
            storage.rules.change(0, [], [small()], note(), unrated_since=EPOCH)
        assert storage.rules.read() == RuleBook(0, ())

    def test_a_change_is_rejected_if_a_later_period_has_been_rated(self, storage: Storage) -> None:
        storage.ledger.commit(batch(list_scopes(storage, "a")))
        with pytest.raises(errors.OutdatedRules, match="has been rated"):
            storage.rules.change(0, [], [small()], note(), unrated_since=hour(0.5))
        assert storage.rules.read() == RuleBook(0, ())
        assert storage.rules.change(0, [], [small()], note(), unrated_since=hour(1)) == 1

    def test_of_a_commit_and_a_change_for_an_unrated_ledger_at_once_one_succeeds(
        self, storage: Storage, open_another: Open
    ) -> None:
        work = batch(list_scopes(storage, "a"))
        gate = threading.Barrier(2)
        writes: list[str] = []

        def commit(store: Storage) -> None:
            gate.wait()
            with contextlib.suppress(errors.RulesChanged):
                store.ledger.commit(work)
                writes.append("commit")

        def change(store: Storage) -> None:
            gate.wait()
            with contextlib.suppress(errors.OperatorError):
                store.rules.change(0, [], [small()], note(), unrated_since=EPOCH)
                writes.append("change")

        threads = [
            threading.Thread(target=work, args=(open_another(),)) for work in (commit, change)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(writes) == 1


@pytest.mark.with_fake
class TestLastRatedEnd:
    def test_there_is_none_before_the_first_rating(self, storage: Storage) -> None:
        list_scopes(storage, "a", "b", now=hour(5), start=hour(3))
        assert storage.rules.last_rated_end() is None

    def test_a_silent_scope_was_rated_too(self, storage: Storage) -> None:
        states = list_scopes(storage, "a", "b")
        storage.ledger.commit(batch(states[:1]))
        assert storage.rules.last_rated_end() == hour(1)

    def test_the_time_at_which_a_scope_resumes_does_not_count(self, storage: Storage) -> None:
        (state,) = list_scopes(storage, "a", now=hour(0.5))
        storage.ledger.commit(batch([state]))
        storage.ledger.observe([], hour(2), START, START)
        list_scopes(storage, "a", now=hour(9), resume=hour(8))
        assert storage.rules.last_rated_end() == hour(1)

    def test_inactive_scopes_count(self, storage: Storage) -> None:
        (state,) = list_scopes(storage, "a", now=hour(0.5))
        storage.ledger.commit(batch([state]))
        storage.ledger.observe([], hour(2), START, START)
        assert storage.rules.last_rated_end() == hour(1)
