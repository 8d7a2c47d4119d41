"""Single rules are created, changed and deleted as the API does it, on every database."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ratekit import errors
from ratekit.admin import hashmap, rule_guards
from ratekit.admin.rule_editing import group, rule, target
from ratekit.admin.rule_editing.editor import Author, Edit, Editor
from ratekit.admin.rule_editing.index import RuleIndex
from ratekit.admin.rule_editing.listing import RuleSelection, select
from ratekit.admin.rule_editing.rule_fields import RuleFields
from ratekit.admin.rule_editing.views import RuleView
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from ratekit.rating.hashmap import Hashmap
from tests.contract import given
from tests.contract.given import hour, statements

CALENDAR = Calendar(given.HOUR, wait_periods=2)
#: The next period starts at hour 37.
NOW = hour(36.5)
FENCE = hour(37)
LABELS = {"instance": {"flavor"}}
RANDOM_ID = "d28490b2-fb3c-11e5-988b-eb9539c935dc"


def edit(
    now: datetime.datetime = NOW, who: str = "ann", force: bool = False, allow_free: bool = False
) -> Edit:
    """Return who edits, and when."""
    return Edit(Author(who, who.title()), now, force, allow_free)


def rate(
    storage: Storage,
    begin: datetime.datetime = given.START,
    price: str = "0",
    metric: str = "x",
    scope: str = "a1",
) -> None:
    """Rate the first hour of a scope."""
    states = given.list_scopes(storage, scope, start=begin)
    version = storage.rules.read().version
    series = given.build_series(
        scope, [("1", price)], metric=metric, begin=begin, labels={"flavor": "m1"}
    )
    window = given.window(begin=begin)
    result = storage.ledger.commit(given.batch(states, series, periods=window, rules=version))
    assert result.frames == 1


def open_editor(storage: Storage) -> Editor:
    """Return an editor of an API process."""
    return Editor(storage, CALENDAR, [Hashmap()], LABELS, "metrics.yml")


@pytest.fixture
def editor(storage: Storage) -> Editor:
    """An editor where nothing has been rated."""
    return open_editor(storage)


@pytest.fixture
def rated(storage: Storage, editor: Editor) -> Editor:
    """An editor where an hour has been rated, without usage of the rules' metric."""
    rate(storage)
    return editor


def create_service(editor: Editor, name: str = "instance") -> str:
    return target.create_service(editor, name, edit()).view.id


def create_field(editor: Editor, service_id: str = "", name: str = "flavor") -> str:
    parent = service_id or create_service(editor)
    return target.create_field(editor, parent, name, edit()).view.id


def create(
    editor: Editor, fields: RuleFields, kind: IdKind = IdKind.MAPPING, by: Edit | None = None
) -> RuleView:
    content: RuleFields = {"cost": Decimal("0.1"), "type": "flat"}
    if "service_id" not in fields and "field_id" not in fields:
        content["service_id"] = _service_of(editor)
    content.update(fields)
    return rule.create(editor, kind, content, by or edit()).view


def _service_of(editor: Editor) -> str:
    for view in editor.read(NOW).services():
        return view.id
    return create_service(editor)


def update(editor: Editor, view: RuleView, fields: RuleFields, by: Edit | None = None) -> RuleView:
    return rule.update(editor, IdKind.MAPPING, view.id, fields, by or edit()).view


def delete(editor: Editor, view: RuleView, by: Edit | None = None) -> RuleView:
    return rule.delete(editor, IdKind.MAPPING, view.id, by or edit()).view


def listed(index: RuleIndex, kind: IdKind = IdKind.MAPPING, **filters: Any) -> list[RuleView]:
    return list(select(index, kind, RuleSelection(**filters), NOW))


def stored_rules(storage: Storage) -> list[tuple[str, float | None, float | None]]:
    """Return cost, start and end of the stored rules, in hours."""
    return [
        (str(each.terms.cost), _hours(each.terms.start), _hours(each.terms.end))
        for each in storage.rules.read().rules
    ]


def _hours(time: datetime.datetime | None) -> float | None:
    return None if time is None else (time - given.START) / given.HOUR


class TestCreate:
    def test_before_the_first_rating_a_rule_applies_from_ever(self, editor: Editor) -> None:
        view = create(editor, {})
        assert (view.rule.terms.start, view.rule.terms.end) == (None, None)

    def test_a_rule_applies_from_the_next_period(self, rated: Editor) -> None:
        assert create(rated, {}).rule.terms.start == FENCE

    def test_a_rule_applies_after_all_rated_periods(self, storage: Storage) -> None:
        rate(storage, hour(40))
        assert create(open_editor(storage), {}).rule.terms.start == hour(41)

    def test_a_given_start_is_kept_to_the_microsecond(self, rated: Editor) -> None:
        start = hour(50) + datetime.timedelta(microseconds=7)
        assert create(rated, {"start": start, "end": hour(60)}).rule.terms.start == start

    def test_a_start_in_the_past_needs_force_and_is_retroactive(
        self, storage: Storage, rated: Editor
    ) -> None:
        with pytest.raises(errors.OperatorError, match="start in the past"):
            create(rated, {"start": hour(36)})
        fields: RuleFields = {
            "service_id": _service_of(rated),
            "cost": Decimal(1),
            "start": hour(36),
        }
        result = rule.create(rated, IdKind.MAPPING, fields, edit(force=True))
        assert result.view.rule.terms.start == hour(36)
        assert any("reprocessed" in warning for warning in result.warnings)
        assert storage.rules.records()[0].retroactive
        create(rated, {"start": FENCE, "scope": "s"})
        assert not storage.rules.records()[0].retroactive

    def test_every_field_comes_back(self, rated: Editor) -> None:
        field_id = create_field(rated)
        group_id = group.create(rated, "uptime", edit()).view.id
        fields: RuleFields = {
            "field_id": field_id,
            "group_id": group_id,
            "scope": "s1",
            "type": "rate",
            "cost": Decimal("0.12345678901234567890"),
            "value": "m1",
            "start": hour(40),
            "end": hour(50),
            "name": "n",
            "description": "why",
        }
        view = rule.create(rated, IdKind.MAPPING, fields, edit()).view
        assert rated.read(NOW).find_rule(IdKind.MAPPING, view.id.upper()) == view
        terms = Terms(
            Decimal("0.12345678901234567890"), CostType.RATE, "uptime", "s1", hour(40), hour(50)
        )
        assert view.rule == MappingRule(RuleTarget("instance", "flavor"), "m1", terms)
        assert (view.rule.name, view.rule.description) == ("n", "why")
        assert (view.service_id, view.field_id, view.group_id) == (None, field_id, group_id)
        assert (view.created_at, view.created_by, view.updated_by) == (NOW, "ann (Ann)", None)
        assert (view.deleted_at, view.deleted_by) == (None, None)

    def test_a_threshold_has_a_level(self, rated: Editor) -> None:
        view = create(rated, {"level": Decimal("2.50")}, IdKind.THRESHOLD)
        assert [listed(rated.read(NOW), kind) for kind in (IdKind.MAPPING, IdKind.THRESHOLD)] == [
            [],
            [view],
        ]
        assert getattr(view.rule, "level") == Decimal("2.5")  # noqa: B009 -- not of mappings

    @pytest.mark.parametrize("value", [None, "None"])
    def test_the_value_none_means_that_the_label_is_null(
        self, storage: Storage, rated: Editor, value: str | None
    ) -> None:
        view = create(rated, {"field_id": create_field(rated), "value": value})
        [stored] = storage.rules.read().rules
        assert isinstance(stored, MappingRule)
        assert stored.value is None
        assert update(rated, view, {"value": value, "cost": Decimal("0.10")}) == view

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"type": "fail", "service_id": RANDOM_ID}, "type. Value: 'fail'. Value should be on"),
            ({"service_id": RANDOM_ID}, rf"^No such service: None \(UUID: {RANDOM_ID}\)$"),
            ({"service_id": "instance"}, "No such service: None"),
            ({"field_id": RANDOM_ID, "value": "a"}, f"^No such field: {RANDOM_ID}$"),
            ({"service_id": RANDOM_ID, "field_id": RANDOM_ID}, "^You can only specify one parent"),
            ({"service_id": None, "value": "a"}, "^You must specify one parent.$"),
            ({"field_id": RANDOM_ID}, "^You must specify a value for a field mapping.$"),
            ({"value": "a"}, "^You can't specify a value and a service_id.$"),
            ({"group_id": RANDOM_ID}, "No such group: None"),
            ({"start": hour(50), "end": hour(50)}, "start after end"),
            ({"end": hour(37)}, "start after end"),
            ({"cost": None}, "cost. Value: 'None'. Mandatory field missing."),
            ({"cost": Decimal("NaN")}, "cost. Value: 'NaN'"),
            ({"cost": Decimal("1E-29")}, "cost. Value: '1E-29'"),
            ({"scope": "x" * 256}, "tenant_id"),
            ({"description": "\0"}, "description"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_refused_in_the_words_of_cloudkitty(
        self, storage: Storage, rated: Editor, fields: RuleFields, text: str
    ) -> None:
        create_service(rated)
        with pytest.raises(errors.OperatorError, match=text) as caught:
            create(rated, fields)
        assert not isinstance(caught.value, errors.NotFound | errors.StateConflict)
        assert storage.rules.read().rules == ()

    def test_a_threshold_without_a_level_is_refused(self, rated: Editor) -> None:
        with pytest.raises(
            errors.OperatorError, match=r"level\. Value: 'None'\. Mandatory field missing\."
        ):
            create(rated, {}, IdKind.THRESHOLD)
        with pytest.raises(errors.OperatorError, match="at least 0"):
            create(rated, {"level": Decimal(-1)}, IdKind.THRESHOLD)

    def test_a_second_rule_for_the_same_usage_is_a_conflict(
        self, storage: Storage, rated: Editor
    ) -> None:
        view = create(rated, {"start": hour(50)})
        for fields in ({}, {"start": hour(60)}, {"start": hour(40), "end": hour(51)}):
            with pytest.raises(errors.StateConflict, match=view.id):
                create(rated, fields)  # type: ignore[arg-type]
        create(rated, {"start": hour(40), "end": hour(50)})
        create(rated, {"start": hour(50), "scope": "s"})
        assert len(storage.rules.read().rules) == 3

    def test_what_no_usage_has_is_taken_with_a_warning(
        self, storage: Storage, rated: Editor
    ) -> None:
        given.list_scopes(storage, "a1")
        result = target.create_service(rated, "instnace", edit())
        [warning] = result.warnings
        assert "did you mean 'instance'" in warning
        fields: RuleFields = {
            "service_id": result.view.id,
            "cost": Decimal(1),
            "scope": "nobody",
            "start": hour(40.5),
        }
        warnings = rule.create(rated, IdKind.MAPPING, fields, edit()).warnings
        assert [each.split()[0] for each in warnings] == ["no", "no", "no"]
        assert len(set(warnings)) == 3
        assert target.create_service(rated, "instance", edit()).warnings == ()


class TestUpdate:
    def test_another_cost_closes_the_rule_and_opens_a_successor_with_its_id(
        self, storage: Storage, rated: Editor
    ) -> None:
        view = create(rated, {"name": "n", "description": "first"})
        later = edit(hour(80.5), "bob")
        fields: RuleFields = {"cost": Decimal("0.3"), "description": "dearer"}
        successor = update(rated, view, fields, later)
        assert stored_rules(storage) == [("0.1", 37, 81), ("0.3", 81, None)]
        assert successor.id == view.id
        assert (successor.rule.name, successor.rule.description) == ("n", "dearer")
        assert successor.created_at == NOW
        assert (successor.created_by, successor.updated_by) == ("ann (Ann)", "bob (Bob)")
        index = rated.read(hour(80.5))
        assert listed(index) == [successor]
        assert listed(index, deleted=True) == []
        record = storage.rules.records()[0]
        assert (record.made_by, record.comment) == ("bob (Bob)", "dearer")

    def test_the_whole_object_as_it_was_read_changes_nothing(
        self, storage: Storage, rated: Editor
    ) -> None:
        view = create(rated, {"cost": Decimal("0.10"), "description": "d"})
        version = storage.rules.read().version
        terms = view.rule.terms
        echo: RuleFields = {
            "service_id": view.service_id and view.service_id.upper(),
            "field_id": None,
            "group_id": "",
            "scope": "",
            "type": terms.type.value,
            "cost": Decimal("0.1000"),
            "value": None,
            "start": terms.start,
            "end": terms.end,
            "name": "",
            "description": "d",
        }
        result = rule.update(rated, IdKind.MAPPING, view.id, echo, edit(hour(90)))
        assert (result.view, result.version) == (view, None)
        assert storage.rules.read().version == version

    def test_before_the_first_rating_it_is_as_if_the_rule_had_never_been(
        self, storage: Storage, editor: Editor
    ) -> None:
        view = create(editor, {})
        for cost in ("0.2", "0.3"):
            view = update(editor, view, {"cost": Decimal(cost)})
            assert (view.rule.terms.cost, view.rule.terms.start) == (Decimal(cost), None)
        assert listed(editor.read(NOW)) == [view]
        in_force = hashmap.in_force(storage.rules.read(), given.START)
        assert [each.terms.cost for each in in_force] == [Decimal("0.3")]
        again = create(editor, {"scope": "s"})
        delete(editor, again)
        assert create(editor, {"scope": "s"}).rule.terms.start is None

    def test_a_successor_ends_where_a_scheduled_rule_starts(
        self, storage: Storage, rated: Editor
    ) -> None:
        view = create(rated, {"end": hour(50)})
        scheduled = create(rated, {"start": hour(50), "cost": Decimal(9)})
        update(rated, view, {"cost": Decimal("0.2")}, edit(hour(40)))
        assert stored_rules(storage) == [
            ("0.1", 37, 41), ("9", 50, None), ("0.2", 41, 50),
        ]  # fmt: skip
        views = listed(rated.read(hour(40)))
        assert [each.id for each in views] == [view.id, scheduled.id]

    def test_another_scope_ends_where_its_scheduled_rule_starts_or_is_a_conflict(
        self, storage: Storage, rated: Editor
    ) -> None:
        view = create(rated, {})
        create(rated, {"scope": "b", "start": hour(60)})
        create(rated, {"scope": "c"})
        with pytest.raises(errors.StateConflict, match="already exists"):
            update(rated, view, {"scope": "c"})
        update(rated, view, {"scope": "b"})
        assert ("0.1", 37, 60) in stored_rules(storage)

    def test_only_an_end_is_set(self, storage: Storage, rated: Editor) -> None:
        view = create(rated, {})
        later = edit(hour(60), "bob")
        with pytest.raises(errors.OperatorError, match="End date must be in the future"):
            update(rated, view, {"end": hour(60)}, later)
        view = update(rated, view, {"end": hour(70)}, later)
        assert stored_rules(storage) == [("0.1", 37, 70)]
        assert (view.updated_by, view.deleted_at) == ("bob (Bob)", None)

    def test_a_later_end_goes_on_by_a_successor(self, storage: Storage, rated: Editor) -> None:
        view = create(rated, {"end": hour(70)})
        update(rated, view, {"end": None}, edit(hour(60)))
        assert stored_rules(storage) == [("0.1", 37, 61), ("0.1", 61, None)]
        assert len(listed(rated.read(hour(60)))) == 1

    def test_a_scheduled_rule_is_replaced_before_it_begins(
        self, storage: Storage, rated: Editor
    ) -> None:
        view = create(rated, {"start": hour(50)})
        fields: RuleFields = {"cost": Decimal(2), "start": hour(45)}
        moved = update(rated, view, fields)
        assert stored_rules(storage) == [("0.1", 50, 50), ("2", 45, None)]
        assert (moved.id, listed(rated.read(NOW))) == (view.id, [moved])
        with pytest.raises(errors.OperatorError, match="start in the past"):
            update(rated, view, {"start": hour(36)})

    def test_the_start_of_a_running_rule_cannot_change(self, rated: Editor) -> None:
        view = create(rated, {})
        with pytest.raises(errors.OperatorError, match="already running"):
            update(rated, view, {"start": hour(90)}, edit(hour(60)))

    def test_a_rule_that_has_ended_cannot_change(self, editor: Editor) -> None:
        view = create(editor, {"start": hour(0), "end": hour(24)})
        with pytest.raises(
            errors.OperatorError,
            match=r"^Cannot update a rule that was already processed and has a defined end date\.$",
        ):
            update(editor, view, {"type": "rate"})

    @pytest.mark.parametrize("text", ["42", RANDOM_ID])
    def test_there_is_no_such_rule(self, rated: Editor, text: str) -> None:
        for kind in (IdKind.MAPPING, IdKind.THRESHOLD):
            match = f"^No such {kind.name.lower()}: {text}$"
            with pytest.raises(errors.NotFound, match=match):
                rule.update(rated, kind, text, {}, edit())
            with pytest.raises(errors.NotFound, match=match):
                rule.delete(rated, kind, text, edit())

    def test_a_rule_stays_with_its_service(self, rated: Editor) -> None:
        view = create(rated, {})
        with pytest.raises(errors.OperatorError, match="cannot move"):
            update(rated, view, {"service_id": create_service(rated, "disk")})

    def test_a_group_and_a_level_can_change(self, rated: Editor) -> None:
        group_id = group.create(rated, "g", edit()).view.id
        view = create(rated, {"level": Decimal(1)}, IdKind.THRESHOLD)
        fields: RuleFields = {"level": Decimal(3), "group_id": group_id}
        changed = rule.update(rated, IdKind.THRESHOLD, view.id, fields, edit()).view
        assert (changed.id, changed.group_id) == (view.id, group_id)
        assert listed(rated.read(NOW), IdKind.THRESHOLD) == [changed]


class TestDelete:
    def test_a_rule_ends_at_the_next_period_and_is_still_read_by_its_id(
        self, storage: Storage, rated: Editor
    ) -> None:
        view = create(rated, {})
        deleted = delete(rated, view, edit(hour(60.5), "bob"))
        assert stored_rules(storage) == [("0.1", 37, 61)]
        assert (deleted.deleted_at, deleted.deleted_by) == (hour(60.5), "bob (Bob)")
        assert deleted.updated_by is None
        index = rated.read(hour(60.5))
        assert index.find_rule(IdKind.MAPPING, view.id) == deleted
        assert (listed(index), listed(index, deleted=True)) == ([], [deleted])
        later = edit(hour(60.7))
        with pytest.raises(errors.NotFound):
            delete(rated, view, later)
        with pytest.raises(errors.NotFound):
            update(rated, view, {"cost": Decimal(2)}, later)

    def test_who_changed_a_rule_in_the_same_period_did_not_delete_it(self, rated: Editor) -> None:
        view = create(rated, {})
        update(rated, view, {"cost": Decimal(2)}, edit(hour(60.1), "bob"))
        deleted = delete(rated, view, edit(hour(60.2), "eve"))
        assert (deleted.deleted_at, deleted.deleted_by) == (hour(60.2), "eve (Eve)")
        assert deleted.updated_by == "bob (Bob)"
        assert deleted.rule.terms.cost == Decimal("0.1")

    def test_a_scheduled_rule_is_withdrawn(self, storage: Storage, rated: Editor) -> None:
        delete(rated, create(rated, {"start": hour(50)}))
        assert stored_rules(storage) == [("0.1", 50, 50)]

    def test_before_the_first_rating_it_prices_nothing(
        self, storage: Storage, editor: Editor
    ) -> None:
        views = [create(editor, {}), create(editor, {"scope": "s", "start": hour(3)})]
        for view in views:
            assert delete(editor, view).deleted_at == NOW
        assert hashmap.in_force(storage.rules.read(), given.START) == []

    def test_a_rule_that_is_created_again_has_another_id(self, rated: Editor) -> None:
        view = create(rated, {})
        delete(rated, view)
        assert create(rated, {}).id != view.id


class TestFreeUsage:
    @pytest.fixture
    def priced(self, storage: Storage, editor: Editor) -> RuleView:
        """A rule that priced the newest rated period."""
        view = create(editor, {"field_id": create_field(editor), "value": "m1"})
        rate(storage, price="0.1", metric="instance")
        return view

    def test_usage_that_would_become_free_is_a_conflict(
        self, storage: Storage, editor: Editor, priced: RuleView
    ) -> None:
        before = storage.rules.read()
        edits: list[Callable[[], object]] = [
            lambda: delete(editor, priced),
            lambda: update(editor, priced, {"value": "m2"}),
            lambda: update(editor, priced, {"cost": Decimal(0)}),
            lambda: update(editor, priced, {"end": hour(50)}),
            lambda: target.delete_service(editor, _service_of(editor), edit()),
            lambda: target.delete_field(editor, priced.field_id or "", edit()),
        ]
        for each in edits:
            with pytest.raises(errors.StateConflict, match="allow_free=true") as caught:
                each()
            # An option alone would tell clients nothing.
            assert "use --allow-free" not in str(caught.value)
        assert storage.rules.read() == before

    def test_it_can_be_allowed(self, editor: Editor, priced: RuleView) -> None:
        assert delete(editor, priced, edit(allow_free=True)).deleted_at == NOW

    def test_another_price_is_no_conflict(self, editor: Editor, priced: RuleView) -> None:
        assert update(editor, priced, {"cost": Decimal(2)}).id == priced.id


class TestServicesAndFields:
    def test_they_exist_without_rules(self, editor: Editor) -> None:
        service_id = create_service(editor)
        field_id = create_field(editor, service_id)
        index = editor.read(NOW)
        assert [(view.id, view.name) for view in index.services()] == [(service_id, "instance")]
        [field] = index.fields(service_id.upper())
        assert (field.id, field.service_id, field.name) == (field_id, service_id, "flavor")

    @pytest.mark.parametrize("text", [RANDOM_ID, "instance", ""])
    def test_an_unknown_id_has_no_fields(self, editor: Editor, text: str) -> None:
        create_field(editor)
        assert editor.read(NOW).fields(text) == []

    def test_a_name_exists_once(self, editor: Editor) -> None:
        service_id = create_service(editor)
        field_id = create_field(editor, service_id)
        with pytest.raises(errors.StateConflict) as caught:
            create_service(editor)
        assert str(caught.value) == f"Service instance already exists (UUID: {service_id})"
        with pytest.raises(errors.StateConflict) as caught:
            create_field(editor, service_id)
        assert str(caught.value) == f"Field flavor already exists (UUID: {field_id})"

    @pytest.mark.parametrize("name", ["", "x" * 256, "a\0", "\ud800"])
    def test_a_name_that_cannot_be_stored_is_refused(self, editor: Editor, name: str) -> None:
        with pytest.raises(errors.OperatorError, match="field/attribute name"):
            create_service(editor, name)
        with pytest.raises(errors.OperatorError, match="field/attribute name"):
            group.create(editor, name, edit())

    def test_a_field_needs_a_service(self, editor: Editor) -> None:
        with pytest.raises(errors.OperatorError, match="No such service") as caught:
            create_field(editor, RANDOM_ID)
        assert not isinstance(caught.value, errors.NotFound)

    def test_what_is_deleted_closes_its_rules_and_is_hidden(
        self, storage: Storage, rated: Editor
    ) -> None:
        service_id = create_service(rated)
        field_id = create_field(rated, service_id)
        other = create(rated, {"service_id": create_service(rated, "disk")})
        on_service = create(rated, {"service_id": service_id})
        on_field = create(rated, {"field_id": field_id, "value": "a"})
        target.delete_field(rated, field_id, edit(hour(50)))
        assert listed(rated.read(hour(50)), field_id=field_id) == []
        with pytest.raises(errors.NotFound, match=f"^No such field: {field_id}$"):
            target.delete_field(rated, field_id, edit(hour(50)))
        target.delete_service(rated, service_id, edit(hour(60)))
        with pytest.raises(errors.NotFound, match="No such service: None"):
            target.delete_service(rated, service_id, edit(hour(60)))
        index = rated.read(hour(60))
        assert [view.name for view in index.services()] == ["disk"]
        assert listed(index) == [other]
        for view in (on_service, on_field):
            with pytest.raises(errors.NotFound, match=f"^No such mapping: {view.id}$"):
                index.find_rule(IdKind.MAPPING, view.id)
        assert [end for _, _, end in stored_rules(storage)] == [None, 61, 51]

    def test_created_again_it_has_its_id_and_its_fields_stay_deleted(self, editor: Editor) -> None:
        service_id = create_service(editor)
        field_id = create_field(editor, service_id)
        target.delete_service(editor, service_id, edit())
        assert editor.read(NOW).services() == []
        assert create_service(editor) == service_id
        assert editor.read(NOW).fields(service_id) == []
        assert create_field(editor, service_id) == field_id

    def test_a_rule_file_shows_a_deleted_service_again(
        self, storage: Storage, editor: Editor
    ) -> None:
        service_id = create_service(editor)
        target.delete_service(editor, service_id, edit())
        apply(storage, [MappingRule(RuleTarget("instance"), None, FLAT)])
        assert [view.id for view in editor.read(NOW).services()] == [service_id]

    def test_the_history_tells_who_created_and_deleted_it(
        self, storage: Storage, editor: Editor
    ) -> None:
        target.delete_service(editor, create_service(editor), edit(who="bob"))
        assert [(record.made_by, record.comment) for record in storage.rules.records()] == [
            ("bob (Bob)", "service instance deleted"),
            ("ann (Ann)", "service instance created"),
        ]


class TestGroups:
    def test_rules_of_a_deleted_group_go_on_without_it(
        self, storage: Storage, rated: Editor
    ) -> None:
        group_id = group.create(rated, "g", edit()).view.id
        view = create(rated, {"group_id": group_id})
        scheduled = create(rated, {"group_id": group_id, "start": hour(80), "scope": "s"})
        group.delete(rated, group_id, recursive=False, edit=edit(hour(50), "bob"))
        index = rated.read(hour(50))
        views = listed(index)
        assert [each.id for each in views] == [view.id, scheduled.id]
        assert [each.group_id for each in views] == [None, None]
        assert [each.rule.terms.start for each in views] == [hour(51), hour(80)]
        assert index.groups() == []
        assert len(storage.rules.records()[0].opened) == 2
        with pytest.raises(errors.NotFound, match="No such group: None"):
            group.delete(rated, group_id, recursive=False, edit=edit())

    def test_recursive_ends_them(self, rated: Editor) -> None:
        group_id = group.create(rated, "g", edit()).view.id
        create(rated, {"group_id": group_id})
        group.delete(rated, group_id, recursive=True, edit=edit())
        assert listed(rated.read(NOW)) == []

    def test_a_rule_without_a_group_for_the_same_usage_is_a_conflict(
        self, storage: Storage, rated: Editor
    ) -> None:
        group_id = group.create(rated, "g", edit()).view.id
        create(rated, {"group_id": group_id})
        create(rated, {"start": hour(90)})
        before = storage.rules.catalog()
        with pytest.raises(errors.StateConflict) as caught:
            group.delete(rated, group_id, recursive=False, edit=edit())
        assert "\n" not in str(caught.value)
        assert storage.rules.catalog() == before

    def test_a_name_exists_once(self, editor: Editor) -> None:
        group_id = group.create(editor, "g", edit()).view.id
        with pytest.raises(errors.StateConflict) as caught:
            group.create(editor, "g", edit())
        assert str(caught.value) == f"Group g already exists (UUID: {group_id})"


class TestLists:
    def test_filters_select_by_place_time_and_person(self, rated: Editor) -> None:
        service_id = create_service(rated)
        field_id = create_field(rated, service_id)
        group_id = group.create(rated, "g", edit()).view.id
        a = create(rated, {"service_id": service_id, "scope": "s", "description": "Spring"})
        b = create(
            rated,
            {"field_id": field_id, "value": "x", "group_id": group_id, "start": hour(60)},
            by=edit(who="bob"),
        )
        c = create(rated, {"service_id": service_id, "start": hour(40), "end": hour(50)})
        index = rated.read(NOW)
        selections: list[tuple[dict[str, Any], list[RuleView]]] = [
            ({}, [a, b, c]),
            ({"service_id": service_id}, [a, c]),
            ({"service_id": service_id.upper()}, [a, c]),
            ({"field_id": field_id}, [b]),
            ({"group_id": group_id}, [b]),
            ({"group_id": group_id, "no_group": True}, [b]),
            ({"no_group": True}, [a, c]),
            ({"by_scope": True}, [b, c]),
            ({"by_scope": True, "scope": "s"}, [a]),
            ({"by_scope": True, "scope": "other"}, []),
            ({"scope": "s"}, [a, b, c]),
            ({"service_id": RANDOM_ID}, []),
            ({"field_id": "flavor"}, []),
            ({"start": hour(40)}, [b, c]),
            ({"end": hour(51)}, [c]),
            ({"end": hour(50)}, []),
            ({"created_by": "bob"}, [b]),
            ({"created_by": "bob (Bob)"}, [b]),
            ({"created_by": "bo"}, []),
            ({"updated_by": "ann"}, []),
            ({"description": "sprin"}, [a]),
            ({"is_active": True}, []),
            ({"deleted": True}, []),
        ]
        for filters, views in selections:
            assert listed(index, **filters) == views, filters

    def test_what_ended_by_itself_is_neither_listed_nor_deleted(self, rated: Editor) -> None:
        view = create(rated, {"end": hour(40)})
        index = rated.read(hour(50))
        assert (listed(index), listed(index, deleted=True)) == ([], [])
        assert index.find_rule(IdKind.MAPPING, view.id).deleted_at is None

    def test_reading_again_takes_two_queries_and_few_for_many_rules(
        self, storage: Storage, rated: Editor
    ) -> None:
        apply(
            storage,
            [MappingRule(RuleTarget("instance", "flavor"), str(n), FLAT) for n in range(50)],
        )
        for limit in (9, 2):
            with statements() as seen:
                assert len(listed(rated.read(NOW))) == 50
            assert len([each for each in seen if each.startswith("SELECT")]) == limit


FLAT = Terms(Decimal(1), CostType.FLAT)


def apply(storage: Storage, desired: list[Rule], now: datetime.datetime = NOW) -> None:
    """Apply a rule file."""
    plan = hashmap.plan(storage.rules, desired, CALENDAR, now)
    hashmap.make_change(storage.rules, plan, now, "ops@host")


class TestRuleFiles:
    def test_a_price_that_changes_by_a_file_keeps_the_id(
        self, storage: Storage, rated: Editor
    ) -> None:
        view = create(rated, {"name": "n"})
        apply(storage, [MappingRule(view.rule.target, None, FLAT)], hour(60))
        [changed] = listed(rated.read(hour(60)))
        assert (changed.id, changed.rule.name) == (view.id, "n")
        assert changed.rule.terms.cost == FLAT.cost
        assert changed.updated_by == "ops@host"

    def test_a_price_that_is_announced_has_an_id_of_its_own(
        self, storage: Storage, rated: Editor
    ) -> None:
        cheap = Terms(Decimal(1), CostType.FLAT, end=hour(90))
        dear = Terms(Decimal(2), CostType.FLAT, start=hour(90))
        cpu = RuleTarget("cpu")
        apply(storage, [MappingRule(cpu, None, FLAT)])
        [before] = listed(rated.read(NOW))
        apply(storage, [MappingRule(cpu, None, terms) for terms in (cheap, dear)])
        first, second = listed(rated.read(NOW))
        assert first.id == before.id != second.id
        assert [view.id for view in listed(rated.read(hour(95)))] == [second.id]

    def test_a_file_that_lacks_a_rule_deletes_it(self, storage: Storage, rated: Editor) -> None:
        view = create(rated, {})
        apply(storage, [], hour(60))
        deleted = rated.read(hour(60)).find_rule(IdKind.MAPPING, view.id)
        assert (deleted.deleted_at, deleted.deleted_by) == (hour(60), "ops@host")

    def test_a_rule_of_the_api_is_exported_and_planned_as_no_change(
        self, storage: Storage, rated: Editor
    ) -> None:
        create(rated, {"field_id": create_field(rated), "value": None})
        create(rated, {"start": hour(70) + datetime.timedelta(microseconds=5)})
        exported = hashmap.export(storage.rules, NOW)
        assert hashmap.plan(storage.rules, exported, CALENDAR, NOW).change.empty


class TestAtOnce:
    def test_an_edit_is_tried_again_when_another_process_was_first(
        self, storage: Storage, rated: Editor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        view = create(rated, {})
        other = open_editor(storage)
        reads = iter([True, False, False])
        read = rated.read

        def read_and_lose(now: datetime.datetime) -> RuleIndex:
            index = read(now)
            if next(reads):
                group.create(other, "g", edit(who="bob"))
            return index

        monkeypatch.setattr(rated, "read", read_and_lose)
        assert update(rated, view, {"cost": Decimal(5)}).rule.terms.cost == 5

    def test_a_rule_that_the_other_process_created_first_is_a_conflict(
        self, storage: Storage, rated: Editor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service_id = create_service(rated)
        other = open_editor(storage)
        reads = iter([True, False])
        read = rated.read

        def read_and_lose(now: datetime.datetime) -> RuleIndex:
            index = read(now)
            if next(reads):
                create(other, {"service_id": service_id}, by=edit(who="bob"))
            return index

        monkeypatch.setattr(rated, "read", read_and_lose)
        with pytest.raises(errors.StateConflict, match="Mapping already exists"):
            create(rated, {"service_id": service_id})
        assert len(storage.rules.read().rules) == 1

    def test_a_rating_during_the_checks_moves_the_change_to_the_next_period(
        self, storage: Storage, rated: Editor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        view = create(rated, {}, by=edit(NOW))
        later = edit(hour(40))
        check = rule_guards.require_priced
        begins = iter([hour(41), hour(42)])

        def rate_and_check(*arguments: Any, **options: Any) -> None:
            check(*arguments, **options)
            for number, begin in enumerate(begins):
                rate(storage, begin, scope=f"b{number}")

        monkeypatch.setattr(rule_guards, "require_priced", rate_and_check)
        update(rated, view, {"cost": Decimal(5)}, later)
        assert stored_rules(storage) == [("0.1", 37, 43), ("5", 43, None)]
        assert not storage.rules.records(1)[0].retroactive

    def test_a_rating_before_a_change_that_is_scheduled_moves_nothing(
        self, storage: Storage, rated: Editor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        view = create(rated, {"start": hour(50)})
        monkeypatch.setattr(
            rule_guards, "require_priced", lambda *_, **__: rate(storage, hour(45), scope="b2")
        )
        update(rated, view, {"cost": Decimal(5)})
        assert stored_rules(storage) == [("0.1", 50, 50), ("5", 50, None)]

    @pytest.mark.parametrize("retroactive", [False, True])
    def test_a_plan_for_a_period_that_is_rated_meanwhile_is_outdated(
        self, storage: Storage, rated: Editor, retroactive: bool
    ) -> None:
        create(rated, {"start": hour(20)}, by=edit(force=True))
        at = hour(30) if retroactive else None
        plan = hashmap.plan(storage.rules, [], CALENDAR, NOW, at, retroactive)
        rate(storage, hour(38), scope="b2")
        if retroactive:
            assert hashmap.make_change(storage.rules, plan, NOW, "ann") == 3
            return
        with pytest.raises(errors.OutdatedRules, match="nothing was written"):
            hashmap.make_change(storage.rules, plan, NOW, "ann")
        assert stored_rules(storage) == [("0.1", 20, None)]

    def test_a_rating_meanwhile_moves_the_start(
        self, storage: Storage, editor: Editor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service_id = create_service(editor)
        reads = iter([True, False, False])
        read = editor.read

        def read_and_lose(now: datetime.datetime) -> RuleIndex:
            index = read(now)
            if next(reads):
                rate(storage)
            return index

        monkeypatch.setattr(editor, "read", read_and_lose)
        assert create(editor, {"service_id": service_id}).rule.terms.start == FENCE
