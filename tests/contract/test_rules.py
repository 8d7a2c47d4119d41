"""What every rule store keeps: rules, their history, and one version for all."""

from __future__ import annotations

import contextlib
import threading
from decimal import Decimal

import pytest

from ratekit import errors
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
from tests.contract.given import START, batch, hour, listed, note, statements

FLAVOR = RuleTarget("instance", "flavor_name")
VOLUME = RuleTarget("volume.size")


def terms(cost: str = "1", **more: object) -> Terms:
    """Return terms with a flat cost."""
    return Terms(cost=Decimal(cost), type=CostType.FLAT, **more)  # type: ignore[arg-type]


def small(cost: str = "0.02", **more: object) -> MappingRule:
    """Return what the flavor m1.small costs."""
    return MappingRule(FLAVOR, "m1.small", terms(cost, **more))


EVERY_KIND: list[Rule] = [
    small(group="uptime", scope="a" * 255, start=hour(0), end=hour(5)),
    MappingRule(FLAVOR, "Größe 東京", terms("0")),
    MappingRule(VOLUME, None, Terms(Decimal("-1.5"), CostType.RATE, group="uptime")),
    ThresholdRule(VOLUME, Decimal("1000"), Terms(Decimal("0.9"), CostType.RATE)),
    ThresholdRule(RuleTarget("instance", "ram"), Decimal("0.5"), terms(group="other")),
]


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

    def test_nothing_changed_takes_one_query_and_returns_what_is_known(
        self, storage: Storage
    ) -> None:
        storage.rules.change(0, [], EVERY_KIND, note())
        book = storage.rules.read()
        with statements() as seen:
            assert storage.rules.read(book) is book
        assert len([one for one in seen if one.startswith("SELECT")]) == 1

    def test_many_rules_take_as_many_queries_as_few(self, storage: Storage) -> None:
        many = [
            MappingRule(
                RuleTarget(f"metric {number}", f"field {number}"), "x", terms(group=str(number))
            )
            for number in range(100)
        ]
        storage.rules.change(0, [], many, note())
        with statements() as seen:
            assert len(storage.rules.read(RuleBook(0, ())).rules) == 100
        assert len([one for one in seen if one.startswith("SELECT")]) <= 6


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

    def test_rules_may_hang_on_what_others_hang_on_already(self, storage: Storage) -> None:
        version = storage.rules.change(0, [], EVERY_KIND, note())
        version = storage.rules.change(version, [], [*EVERY_KIND, *EVERY_KIND], note())
        found = storage.rules.read().rules
        assert sorted(found, key=repr) == sorted(EVERY_KIND * 3, key=repr)

    def test_a_change_made_for_an_older_version_is_refused_whole(self, storage: Storage) -> None:
        version = storage.rules.change(0, [], [small()], note())
        (rule,) = storage.rules.read().rules
        with pytest.raises(errors.OperatorError, match="changed by somebody else"):
            storage.rules.change(0, [(rule, hour(1))], [small("3")], note())
        assert storage.rules.read() == RuleBook(version, (small(),))

    def test_of_two_changes_at_once_one_is_refused(
        self, storage: Storage, open_another: Open
    ) -> None:
        gate = threading.Barrier(2)
        refused: list[errors.OperatorError] = []

        def change(mine: Storage, cost: str) -> None:
            gate.wait()
            try:
                mine.rules.change(0, [], [small(cost)], note())
            except errors.OperatorError as error:
                refused.append(error)

        threads = [
            threading.Thread(target=change, args=(open_another(), cost)) for cost in ("1", "2")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1
        book = storage.rules.read()
        assert (book.version, len(book.rules)) == (1, 1)

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
    def test_a_rule_that_cannot_be_kept_is_refused_whole(
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


class TestUnrated:
    def test_a_change_for_an_unrated_ledger_is_made_while_scopes_only_wait(
        self, storage: Storage
    ) -> None:
        listed(storage, "a")
        assert storage.rules.change(0, [], [small()], note(), unrated=True) == 1
        assert storage.rules.read().rules == (small(),)

    def test_a_change_for_an_unrated_ledger_is_refused_whole_once_something_is_rated(
        self, storage: Storage
    ) -> None:
        storage.ledger.commit(batch(listed(storage, "a")))
        with pytest.raises(errors.OperatorError, match="has been rated"):
            storage.rules.change(0, [], [small()], note(), unrated=True)
        assert storage.rules.read() == RuleBook(0, ())

    def test_of_a_commit_and_a_change_for_an_unrated_ledger_at_once_one_succeeds(
        self, storage: Storage, open_another: Open
    ) -> None:
        work = batch(listed(storage, "a"))
        gate = threading.Barrier(2)
        done: list[str] = []

        def commit(mine: Storage) -> None:
            gate.wait()
            with contextlib.suppress(errors.RulesChanged):
                mine.ledger.commit(work)
                done.append("committed")

        def change(mine: Storage) -> None:
            gate.wait()
            with contextlib.suppress(errors.OperatorError):
                mine.rules.change(0, [], [small()], note(), unrated=True)
                done.append("changed")

        threads = [
            threading.Thread(target=work, args=(open_another(),)) for work in (commit, change)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(done) == 1


class TestRatedUntil:
    def test_nothing_was_rated_while_scopes_only_wait(self, storage: Storage) -> None:
        listed(storage, "a", "b", now=hour(5), start=hour(3))
        assert storage.rules.rated_until() is None

    def test_a_silent_scope_was_rated_too(self, storage: Storage) -> None:
        states = listed(storage, "a", "b")
        storage.ledger.commit(batch(states[:1]))
        assert storage.rules.rated_until() == hour(1)

    def test_where_a_scope_resumes_is_not_taken_for_rated(self, storage: Storage) -> None:
        (state,) = listed(storage, "a", now=hour(0.5))
        storage.ledger.commit(batch([state]))
        storage.ledger.observe([], hour(2), START, START)
        listed(storage, "a", now=hour(9), resume=hour(8))
        assert storage.rules.rated_until() == hour(1)

    def test_scopes_that_are_gone_count(self, storage: Storage) -> None:
        (state,) = listed(storage, "a", now=hour(0.5))
        storage.ledger.commit(batch([state]))
        storage.ledger.observe([], hour(2), START, START)
        assert storage.rules.rated_until() == hour(1)
