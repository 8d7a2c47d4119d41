"""After any edits of single rules, prices are those of a simple model: a cost for each hour."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import pathlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, cast

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit import errors
from ratekit.admin import hashmap
from ratekit.admin.rule_editing import group, rule, target
from ratekit.admin.rule_editing.editor import Author, Edit, Editor
from ratekit.admin.rule_editing.listing import RuleSelection, select
from ratekit.admin.rule_editing.rule_fields import RuleFields
from ratekit.admin.rule_editing.views import RuleView
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from ratekit.storage import migrate
from ratekit.storage.schema import METADATA, PURGE_MARK, VERSIONS
from tests.contract import given as storages

#: Prices are compared in these hours; the last one stands for all that follow.
HOURS = 12
FOREVER = HOURS
CALENDAR = Calendar(storages.HOUR, wait_periods=2)
#: IdKind, value or level, group and scope.
Identity = tuple[IdKind, str | int, str | None, str | None]
REFUSED, CONFLICT, MISSING = errors.OperatorError, errors.StateConflict, errors.NotFound


@dataclasses.dataclass
class Line:
    """What a public id names: where it is in force, in hours.

    :ivar closed: the end comes from an edit
    """

    identity: Identity
    cost: int
    start: int
    end: int
    closed: bool = False


class Model:
    """What edits should do to the prices."""

    def __init__(self) -> None:
        #: Cost of each hour, and the line that it comes from.
        self.prices: dict[tuple[Identity, int], tuple[int, str]] = {}
        self.lines: dict[str, Line] = {}
        #: First hour that cannot have been rated; None: nothing has been.
        self.fence: int | None = None
        self.now = 0

    def is_over(self, line: Line) -> bool:
        return line.end <= max(line.start, self.fence or self.now + 1)

    def closing_time(self, line: Line) -> int:
        return line.start if self.fence is None else max(self.fence, line.start)

    def is_closable(self, line: Line) -> bool:
        return line.start < line.end and self.closing_time(line) < line.end

    def is_free(self, identity: Identity, start: int, end: int, name: str | None = None) -> bool:
        return all(
            self.prices.get((identity, hour), (0, name))[1] == name for hour in range(start, end)
        )

    def next_start(self, identity: Identity, start: int, name: str) -> int:
        hours = (hour for hour in range(start + 1, FOREVER))
        return next(
            (hour for hour in hours if not self.is_free(identity, hour, hour + 1, name)), FOREVER
        )

    def open(self, name: str, line: Line) -> None:
        self.lines[name] = line
        for hour in range(line.start, line.end):
            self.prices[line.identity, hour] = (line.cost, name)

    def close(self, name: str, end: int) -> None:
        line = self.lines[name]
        for hour in range(end, line.end):
            del self.prices[line.identity, hour]
        self.lines[name] = dataclasses.replace(line, end=end, closed=True)

    def expect_create(self, line: Line, has_start: bool, force: bool) -> type[Exception] | None:
        if has_start and self.fence is not None and line.start < self.fence and not force:
            return REFUSED
        if line.start >= line.end:
            return REFUSED
        return None if self.is_free(line.identity, line.start, line.end) else CONFLICT

    def plan_update(
        self, name: str, changes: dict[str, Any]
    ) -> type[Exception] | Line | int | None:
        """Return the error, the successor, the new end, or None if nothing changes."""
        line = self.lines[name]
        new = dataclasses.replace(line, closed=False, **changes)
        if self.is_over(line) and line.closed:
            return MISSING
        if new == dataclasses.replace(line, closed=False):
            return None
        if self.is_over(line):
            return REFUSED
        if new == dataclasses.replace(line, end=new.end, closed=False) and new.end < line.end:
            early = new.end <= line.start or (self.fence is not None and new.end < self.fence)
            return REFUSED if early else new.end
        if self.fence is not None and line.start < self.fence:
            if new.start != line.start:
                return REFUSED
            new.start = self.fence
        elif self.fence is not None and new.start < self.fence:
            return REFUSED
        if new.end == line.end:
            new.end = min(new.end, self.next_start(new.identity, new.start, name))
        if new.start >= new.end:
            return REFUSED
        return new if self.is_free(new.identity, new.start, new.end, name) else CONFLICT


class Course:
    """Edits the store and the model alike, and compares them."""

    def __init__(self, storage: Storage, data: st.DataObject) -> None:
        self.storage = storage
        self.model = Model()
        self.draw = data.draw
        self.editor = Editor(storage, CALENDAR, [], {}, "metrics.yml")
        self.edits = 0
        self.makers: dict[str, str] = {}
        self.service_id = target.create_service(self.editor, "cpu", self.edit()).view.id
        self.field_id = self.create_field()

    def edit(self, force: bool = False) -> Edit:
        self.edits += 1
        now = storages.hour(self.model.now + 0.5)
        return Edit(Author(f"user{self.edits}"), now, force, allow_free=True)

    def create_field(self) -> str:
        return target.create_field(self.editor, self.service_id, "f", self.edit()).view.id

    def group_id(self, name: str | None) -> str | None:
        if name is None:
            return None
        for view in self.editor.read(storages.START).groups():
            if view.name == name:
                return view.id
        return group.create(self.editor, name, self.edit()).view.id

    def run(self, expected: type[Exception] | None, work: Callable[[], Any]) -> Any:
        """Return what an edit returns; require that a refused one writes nothing."""
        before = self.storage.rules.read().version
        if expected is None:
            return work()
        with pytest.raises(expected) as caught:
            work()
        assert isinstance(caught.value, CONFLICT) == (expected is CONFLICT)
        assert isinstance(caught.value, MISSING) == (expected is MISSING)
        assert self.storage.rules.read().version == before
        return None

    def rate(self) -> None:
        states = storages.list_scopes(self.storage, "a")
        if self.model.fence is None:
            version = self.storage.rules.read().version
            self.storage.ledger.commit(storages.batch(states, rules=version))
        self.model.fence = self.model.now + 1

    def wait(self) -> None:
        self.model.now = min(self.model.now + self.draw(st.integers(1, 2)), HOURS - 3)
        if self.model.fence is not None:
            self.model.fence = self.model.now + 1

    def create(self) -> None:
        kind = self.draw(st.sampled_from([IdKind.MAPPING, IdKind.THRESHOLD]))
        identity, cost = self.draw(IDENTITIES[kind]), self.draw(COSTS)
        start, end = self.draw(st.none() | TIMES), self.draw(ENDS)
        force = self.draw(st.booleans())
        begin = (self.model.fence or 0) if start is None else start
        line = Line(identity, cost, begin, end)
        fields: dict[str, Any] = {
            **self.identity_fields(identity),
            "cost": Decimal(cost),
            "end": time(end),
        }
        parents = (
            {"field_id": self.field_id}
            if identity[0] is IdKind.MAPPING
            else {"service_id": self.service_id}
        )
        if start is not None:
            fields["start"] = time(start)
        expected = self.model.expect_create(line, start is not None, force)
        edit = self.edit(force)
        result = self.run(
            expected,
            lambda: rule.create(self.editor, identity[0], fields_of({**fields, **parents}), edit),
        )
        if result is not None:
            name = result.view.id
            assert name not in self.model.lines
            self.model.open(name, line)
            self.makers[name] = str(edit.author)
            self.check_history(result.version, edit)

    def update(self) -> None:
        name = self.pick()
        if name is None:
            return
        line = self.model.lines[name]
        identity = self.draw(IDENTITIES[line.identity[0]])
        choices = {"identity": identity, "cost": self.draw(COSTS), "end": self.draw(ENDS)}
        if line.start:
            choices["start"] = self.draw(TIMES)
        keys = self.draw(st.sets(st.sampled_from(sorted(choices)), min_size=1, max_size=2))
        changes: dict[str, Any] = {key: choices[key] for key in sorted(keys)}
        fields: dict[str, Any] = {}
        for key, value in changes.items():
            if key == "identity":
                fields |= self.identity_fields(value)
            else:
                fields[key] = Decimal(value) if key == "cost" else time(value)
        planned = self.model.plan_update(name, changes)
        edit = self.edit()
        expected = planned if isinstance(planned, type) else None
        result = self.run(
            expected,
            lambda: rule.update(self.editor, line.identity[0], name, fields_of(fields), edit),
        )
        if result is None:
            return
        assert result.view.id == name
        assert (result.version is None) == (planned is None)
        if isinstance(planned, int):
            self.model.close(name, planned)
        elif isinstance(planned, Line):
            self.model.close(name, self.model.closing_time(line))
            self.model.open(name, planned)
        if planned is not None:
            # Who sets an end that has passed has deleted the rule.
            assert str(edit.author) in (result.view.updated_by, result.view.deleted_by)
            self.check_history(result.version, edit)

    def delete(self) -> None:
        name = self.pick()
        if name is None:
            return
        line, edit = self.model.lines[name], self.edit()
        is_deleted = self.model.is_over(line) and line.closed
        kind = line.identity[0]
        result = self.run(
            MISSING if is_deleted else None, lambda: rule.delete(self.editor, kind, name, edit)
        )
        if result is not None and self.model.is_closable(line):
            self.model.close(name, self.model.closing_time(line))
            assert result.view.deleted_by == str(edit.author)
            self.check_history(result.version, edit)

    def delete_group(self) -> None:
        group_id = self.group_id("g")
        assert group_id is not None
        recursive, model = self.draw(st.booleans()), self.model
        successors = {
            name: dataclasses.replace(
                line,
                identity=(*line.identity[:2], None, line.identity[3]),
                start=model.closing_time(line),
                closed=False,
            )
            for name, line in model.lines.items()
            if line.identity[2] == "g" and model.is_closable(line)
        }
        is_free = recursive or all(
            model.is_free(line.identity, line.start, line.end) for line in successors.values()
        )
        edit = self.edit()
        result = self.run(
            None if is_free else CONFLICT,
            lambda: group.delete(self.editor, group_id, recursive, edit),
        )
        for name, line in successors.items() if result is not None else ():
            model.close(name, line.start)
            if not recursive:
                model.open(name, line)

    def delete_field(self) -> None:
        target.delete_field(self.editor, self.field_id, self.edit())
        for name, line in self.model.lines.items():
            if line.identity[0] is IdKind.MAPPING and self.model.is_closable(line):
                self.model.close(name, self.model.closing_time(line))
        assert self.create_field() == self.field_id

    def pick(self) -> str | None:
        names = sorted(self.model.lines)
        return self.draw(st.sampled_from(names)) if names else None

    def identity_fields(self, identity: Identity) -> dict[str, Any]:
        kind, content, group_name, scope = identity
        key = "value" if kind is IdKind.MAPPING else "level"
        value = Decimal(content) if isinstance(content, int) else content
        return {key: value, "group_id": self.group_id(group_name), "scope": scope}

    def check_history(self, version: int, edit: Edit) -> None:
        [record] = self.storage.rules.records(1)
        assert (record.version, record.made_by) == (version, str(edit.author))

    def check(self) -> None:
        """Require that the store has the prices and the lines of the model."""
        rules = self.storage.rules.read().rules
        for hour in range(HOURS):
            instant = storages.hour(hour)
            in_force = [each for each in rules if each.terms.in_force(instant)]
            prices = {identity_of(each): each.terms.cost for each in in_force}
            assert len(prices) == len(in_force), "two rules of one identity"
            assert prices == {
                identity: cost
                for (identity, when), (cost, _) in self.model.prices.items()
                if when == hour
            }
        now = storages.hour(self.model.now + 0.5)
        index = self.editor.read(now)
        for kind in (IdKind.MAPPING, IdKind.THRESHOLD):
            lines = {
                name: line for name, line in self.model.lines.items() if line.identity[0] is kind
            }
            views = list(select(index, kind, RuleSelection(), now))
            assert sorted(names(views)) == sorted(
                name for name, line in lines.items() if not self.model.is_over(line)
            )
            for view in views:
                line = lines[view.id]
                assert (identity_of(view.rule), view.rule.terms.cost) == (
                    line.identity,
                    Decimal(line.cost),
                )
                assert view.created_by == self.makers[view.id]
            deleted = select(index, kind, RuleSelection(deleted=True), now)
            assert sorted(names(list(deleted))) == sorted(
                name for name, line in lines.items() if self.model.is_over(line) and line.closed
            )


def names(views: list[RuleView]) -> list[str]:
    return [view.id for view in views]


def time(hour: int) -> datetime.datetime | None:
    return None if hour == FOREVER else storages.hour(hour)


def fields_of(fields: dict[str, Any]) -> RuleFields:
    return cast("RuleFields", fields)


def identity_of(rule: Rule) -> Identity:
    if isinstance(rule, ThresholdRule):
        return IdKind.THRESHOLD, int(rule.level), rule.terms.group, rule.terms.scope
    return IdKind.MAPPING, rule.value or "", rule.terms.group, rule.terms.scope


GROUPS, SCOPES = st.sampled_from([None, "g"]), st.sampled_from([None, None, None, "s"])
IDENTITIES: dict[IdKind, st.SearchStrategy[Identity]] = {
    IdKind.MAPPING: st.tuples(st.just(IdKind.MAPPING), st.sampled_from("ab"), GROUPS, SCOPES),
    IdKind.THRESHOLD: st.tuples(st.just(IdKind.THRESHOLD), st.just(1), GROUPS, SCOPES),
}
COSTS = st.integers(1, 3)
TIMES = st.integers(1, HOURS - 1)
ENDS = st.just(FOREVER) | st.integers(2, HOURS - 1)
STEPS = [Course.create] * 3 + [Course.update] * 4 + [Course.wait] * 2 + [
    Course.delete, Course.rate, Course.delete_group, Course.delete_field,
]  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An SQLite database for all examples."""
    folder: pathlib.Path = tmp_path_factory.mktemp("rules")
    url = f"sqlite:///{folder}/ratekit.sqlite"
    migrate.upgrade(url)
    return url


@pytest.fixture(scope="module")
def engine(url: str) -> Iterator[sa.Engine]:
    """What empties it."""
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


def empty(engine: sa.Engine) -> None:
    """Remove all rows."""
    with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            if table not in (VERSIONS, PURGE_MARK):
                connection.execute(table.delete())
        connection.execute(VERSIONS.update().values(version=0))


@settings(
    max_examples=max(60, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_edits_at_growing_times_lead_to_the_prices_of_the_model(
    url: str, engine: sa.Engine, data: st.DataObject
) -> None:
    empty(engine)
    course = Course(storages.reopen(url), data)
    if data.draw(st.booleans()):
        course.rate()
    for step in data.draw(st.lists(st.sampled_from(STEPS), min_size=6, max_size=14)):
        step(course)
        course.check()


@st.composite
def rule_files(draw: st.DrawFn) -> list[Rule]:
    """Draw rules of one identity or two, by time, some of them with times of their own."""
    rules: list[Rule] = []
    scope_lists: list[list[str | None]] = [[None], [None], [None, "s"], []]
    for scope in draw(st.sampled_from(scope_lists)):
        bounds = sorted(draw(st.sets(st.integers(1, HOURS - 1), max_size=3)))
        starts = [draw(st.sampled_from([None, bounds[0]]))] if bounds else [None]
        starts += bounds[1:]
        for start, end in itertools.pairwise([*starts, draw(ENDS.map(lambda end: end + HOURS))]):
            terms = Terms(
                Decimal(draw(COSTS)),
                CostType.FLAT,
                scope=scope,
                start=None if start is None else storages.hour(start),
                end=None if end == FOREVER + HOURS else storages.hour(end or 0),
            )
            rules.append(MappingRule(RuleTarget("cpu"), None, terms))
    return rules


@settings(
    max_examples=max(60, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data(), st.booleans())
def test_whatever_files_are_applied_each_id_is_one_rule_at_a_time(
    url: str, engine: sa.Engine, data: st.DataObject, rated: bool
) -> None:
    empty(engine)
    storage = storages.reopen(url)
    if rated:
        storage.ledger.commit(storages.batch(storages.list_scopes(storage, "a")))
    editor = Editor(storage, CALENDAR, [], {}, "metrics.yml")
    hours = data.draw(st.lists(st.integers(0, 3), min_size=2, max_size=5))
    for hour in itertools.accumulate(hours):
        now = storages.hour(hour + 0.5)
        at = data.draw(st.none() | st.integers(0, HOURS).map(storages.hour))
        options = data.draw(st.tuples(st.booleans(), st.booleans()))
        with contextlib.suppress(errors.OperatorError):
            desired = data.draw(rule_files())
            plan = hashmap.plan(storage.rules, desired, CALENDAR, now, at, *options)
            hashmap.make_change(storage.rules, plan, now, "ann")
        index = editor.read(now)
        views = select(index, IdKind.MAPPING, RuleSelection(), now)
        assert len({view.id for view in views}) == len(views)
        assert len(views) == len(hashmap.in_force(index.catalog.book, index.next_period))
