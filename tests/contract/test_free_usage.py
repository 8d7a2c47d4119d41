"""A change of the rules that makes recent usage free is noticed, whichever scope is ahead."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.admin import free_usage
from ratekit.admin.rule_editing import rule, target
from ratekit.admin.rule_editing.editor import Author, Edit, Editor
from ratekit.admin.rule_editing.rule_fields import RuleFields
from ratekit.admin.rule_editing.views import RuleView
from ratekit.domain.reporting.reports import ALL_SCOPES, AllScopes, FrameRow
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import RuleTarget
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from ratekit.rating.hashmap import Hashmap
from tests.contract import given
from tests.contract.given import hour, statements

CALENDAR = Calendar(given.HOUR, wait_periods=2)
NOW = hour(200)
LABELS = {"instance": {"flavor"}, "image": {"flavor"}}


def rate(
    storage: Storage, scope: str, begin: float, metric: str | None = "instance", count: int = 1
) -> None:
    """Rate hours of a scope; without a metric they are silent."""
    states = {state.scope.id: state for state in given.list_scopes(storage, "a1", "b2", "c3")}
    series = [
        given.build_series(
            scope, [("1", "0.1")] * count, metric=name, begin=hour(begin), labels={"flavor": "m1"}
        )
        for name in [metric]
        if name is not None
    ]
    version = storage.rules.read().version
    window = given.window(count, begin=hour(begin))
    result = storage.ledger.commit(
        given.batch([states[scope]], *series, periods=window, rules=version)
    )
    assert not result.lost_scopes


def edit(allow_free: bool = False) -> Edit:
    return Edit(Author("ann"), NOW, allow_free=allow_free)


@pytest.fixture
def editor(storage: Storage) -> Editor:
    return Editor(storage, CALENDAR, [Hashmap()], LABELS, "metrics.yml")


@pytest.fixture
def priced(storage: Storage, editor: Editor) -> RuleView:
    """A rule that prices both scopes."""
    service = target.create_service(editor, "instance", edit()).view.id
    fields: RuleFields = {"service_id": service, "cost": Decimal("0.1"), "type": "flat"}
    return rule.create(editor, IdKind.MAPPING, fields, edit()).view


def require_refusal(editor: Editor, priced: RuleView) -> None:
    """Require that no edit makes the usage free."""
    for fields in ({"cost": Decimal(0)}, {"cost": Decimal(-3)}, {"scope": "zz"}, {"type": "rate"}):
        changed: RuleFields = fields  # type: ignore[assignment]
        if "type" in fields:
            # A factor without an amount.
            changed = {"type": "rate", "cost": Decimal(0)}
        with pytest.raises(errors.StateConflict, match="allow_free=true"):
            rule.update(editor, IdKind.MAPPING, priced.id, changed, edit())


def newest(
    storage: Storage, *metrics: str, scopes: AllScopes | frozenset[str] = ALL_SCOPES
) -> list[tuple[str, str, float]]:
    """Return scope, metric and hour of the newest usage."""
    return sorted(
        (row.scope, row.metric, (row.begin - given.START) / given.HOUR)
        for row in storage.reports.newest_usage(metrics, scopes)
    )


class TestGuard:
    @pytest.mark.parametrize("ahead", ["a1", "b2"])
    def test_a_scope_that_is_ahead_hides_no_usage_of_another(
        self, storage: Storage, editor: Editor, priced: RuleView, ahead: str
    ) -> None:
        rate(storage, "a1", 0)
        rate(storage, "b2", 0)
        # An hour ahead, and without usage.
        rate(storage, ahead, 1, None)
        require_refusal(editor, priced)

    def test_a_scope_that_is_days_behind_still_counts(
        self, storage: Storage, editor: Editor, priced: RuleView
    ) -> None:
        rate(storage, "a1", 0)
        rate(storage, "b2", 0, None, 150)
        require_refusal(editor, priced)

    def test_a_period_without_usage_hides_none(
        self, storage: Storage, editor: Editor, priced: RuleView
    ) -> None:
        rate(storage, "a1", 0)
        rate(storage, "a1", 1, None, 3)
        rate(storage, "b2", 0, None, 4)
        require_refusal(editor, priced)

    @pytest.mark.parametrize("silent", [0, 400])
    def test_the_last_rule_of_what_was_ever_rated_is_kept(
        self, storage: Storage, editor: Editor, priced: RuleView, silent: int
    ) -> None:
        rate(storage, "a1", 0)
        for scope, begin in (("a1", 1), ("b2", 0)):
            if silent:
                rate(storage, scope, begin, None, silent)
        with pytest.raises(errors.StateConflict, match="has been rated, but would cost nothing"):
            rule.delete(editor, IdKind.MAPPING, priced.id, edit())

    def test_a_rule_of_a_scope_concerns_its_usage_alone(
        self, storage: Storage, editor: Editor
    ) -> None:
        rate(storage, "a1", 0)
        rate(storage, "b2", 0)
        service = target.create_service(editor, "instance", edit()).view.id
        rules = {}
        for scope in ("a1", "c3"):
            fields: RuleFields = {
                "service_id": service, "cost": Decimal("0.1"), "type": "flat", "scope": scope,
            }  # fmt: skip
            rules[scope] = rule.create(editor, IdKind.MAPPING, fields, edit()).view.id
        with statements() as log:
            rule.update(editor, IdKind.MAPPING, rules["c3"], {"cost": Decimal(0)}, edit())
        assert not [statement for statement in log if "frames" in statement]
        with pytest.raises(errors.StateConflict, match="of scope a1"):
            rule.update(editor, IdKind.MAPPING, rules["a1"], {"cost": Decimal(0)}, edit())

    def test_another_price_is_no_obstacle(
        self, storage: Storage, editor: Editor, priced: RuleView
    ) -> None:
        rate(storage, "a1", 0)
        rate(storage, "b2", 0, None, 2)
        fields: RuleFields = {"cost": Decimal(5)}
        assert rule.update(editor, IdKind.MAPPING, priced.id, fields, edit()).view.id == priced.id

    def test_null_labels_are_counted_whoever_is_ahead(
        self, storage: Storage, editor: Editor, priced: RuleView
    ) -> None:
        states = given.list_scopes(storage, "a1")
        series = given.build_series("a1", [("1", "0")], metric="image", labels={"flavor": None})
        version = storage.rules.read().version
        storage.ledger.commit(given.batch(states, series, rules=version))
        rate(storage, "b2", 0, None, 2)
        service = target.create_service(editor, "image", edit()).view.id
        field = target.create_field(editor, service, "flavor", edit()).view.id
        fields: RuleFields = {"field_id": field, "value": "m1", "cost": Decimal(1), "type": "flat"}
        rule.create(editor, IdKind.MAPPING, fields, edit())
        counts = free_usage.count_unpriced_nulls(storage, storage.rules.read(), [Hashmap()], NOW)
        assert counts == {RuleTarget("image", "flavor"): 1}


class TestNewestUsage:
    @pytest.fixture(autouse=True)
    def scopes(self, storage: Storage) -> None:
        given.list_scopes(storage, "a1", "b2", "c3")

    def test_each_scope_has_its_own_newest_period_of_each_metric(self, storage: Storage) -> None:
        rate(storage, "a1", 0, "instance", 3)
        rate(storage, "a1", 3, "image")
        rate(storage, "b2", 0, "instance")
        assert newest(storage, "instance", "image") == [
            ("a1", "image", 3), ("a1", "instance", 2), ("b2", "instance", 0),
        ]  # fmt: skip
        assert newest(storage, "image") == [("a1", "image", 3)]
        assert newest(storage, "volume") == []
        assert newest(storage) == []

    @pytest.mark.parametrize("scopes", [{"a1"}, {"b2", "nobody"}, {"nobody"}, set()])
    def test_other_scopes_are_left_out(self, storage: Storage, scopes: set[str]) -> None:
        rate(storage, "a1", 0)
        rate(storage, "b2", 0)
        expected = [(scope, "instance", 0) for scope in sorted(scopes & {"a1", "b2"})]
        assert newest(storage, "instance", scopes=frozenset(scopes)) == expected

    def test_rows_are_frames_as_they_are_stored(self, storage: Storage) -> None:
        rate(storage, "a1", 0)
        labels = {"project_id": "a1", "flavor": "m1"}
        [row] = storage.reports.newest_usage(["instance"], ALL_SCOPES)
        assert row == FrameRow(
            given.START, "a1", "instance", "instance", Decimal(1), Decimal("0.1"), labels, {}
        )

    def test_usage_from_long_before_the_scopes_newest_period_does_not_count(
        self, storage: Storage
    ) -> None:
        rate(storage, "a1", 0, "instance", 100)
        rate(storage, "b2", 0, "instance")
        rate(storage, "b2", 1, None, 99)
        assert newest(storage, "instance") == [("a1", "instance", 99)]

    def test_what_nobody_has_used_for_days_is_looked_for_further_back(
        self, storage: Storage
    ) -> None:
        rate(storage, "a1", 0, "image")
        rate(storage, "a1", 1, "instance", 99)
        assert newest(storage, "image", "instance") == [
            ("a1", "image", 0), ("a1", "instance", 99),
        ]  # fmt: skip

    def test_a_scope_that_no_longer_exists_does_not_count(self, storage: Storage) -> None:
        rate(storage, "a1", 0)
        rate(storage, "b2", 0, "image", 100)
        given.list_scopes(storage, "b2", now=hour(0.5))
        assert [row.id for row in storage.reports.scopes(ALL_SCOPES) if not row.active] == ["a1"]
        assert newest(storage, "instance") == []
        assert newest(storage, "instance", scopes=frozenset({"a1"})) == []

    def test_many_scopes_take_few_queries(self, storage: Storage) -> None:
        names = [f"s{number}" for number in range(40)]
        states = given.list_scopes(storage, *names)
        series = [given.build_series(name, [("1", "1")]) for name in names]
        storage.ledger.commit(given.batch(states, *series))
        with statements() as log:
            assert len(newest(storage, "instance")) == 40
        assert len(log) <= 8
