"""Services, fields, groups and lines of rules by their public ids."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from ratekit import errors
from ratekit.admin import hashmap
from ratekit.admin.rule_editing.views import (
    FieldView,
    GroupView,
    RuleView,
    ServiceView,
    view_field,
    view_group,
    view_service,
)
from ratekit.domain import period
from ratekit.domain.rules import public_id, succession
from ratekit.domain.rules.catalog import (
    Catalog,
    FieldRow,
    GroupRow,
    RuleRecord,
    ServiceRow,
    rule_key,
)
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.rules.rule import Rule, ThresholdRule


def kind_of(rule: Rule) -> IdKind:
    """Return the kind of a rule's id."""
    return IdKind.THRESHOLD if isinstance(rule, ThresholdRule) else IdKind.MAPPING


def is_withdrawn(rule: Rule) -> bool:
    """Return whether a rule ends at its start, or at the epoch: it never priced a period."""
    return succession.end(rule) <= max(succession.start(rule), period.EPOCH)


class RuleIndex:
    """What is stored about rules, at one version and one time.

    :ivar catalog: as it was read
    :ivar protected_until: start of the first period that cannot have been rated; None: nothing
        has been rated
    :ivar next_period: start of the next period: a rule that ends by then is over
    """

    def __init__(
        self,
        catalog: Catalog,
        protected_until: datetime.datetime | None,
        next_period: datetime.datetime,
    ) -> None:
        self.catalog = catalog
        self.protected_until = protected_until
        self.next_period = next_period
        self._services = {row.id: row for row in catalog.services}
        self._fields = {row.id: row for row in catalog.fields}
        self._groups = {row.id: row for row in catalog.groups}
        self.service_rows = {row.name: row for row in catalog.services}
        self.field_rows = {(row.service_id, row.name): row for row in catalog.fields}
        self.group_rows = {row.name: row for row in catalog.groups}
        #: Horizon asks for the rules of each service and field, one request after another.
        self._views: dict[IdKind, Sequence[RuleView]] = {}
        self._lines: dict[tuple[IdKind, int | None], list[Rule]] = {}
        for rule in catalog.book.rules:
            self._lines.setdefault((kind_of(rule), rule.line), []).append(rule)

    def is_of(
        self,
        catalog: Catalog,
        protected_until: datetime.datetime | None,
        next_period: datetime.datetime,
    ) -> bool:
        """Return whether this is the index of a catalog at such a time."""
        times = (self.protected_until, self.next_period)
        return self.catalog is catalog and times == (protected_until, next_period)

    def services(self) -> Sequence[ServiceView]:
        """Return the services by creation."""
        return [view_service(row) for row in self.catalog.services if not row.hidden]

    def fields(self, service_id: str) -> Sequence[FieldView]:
        """Return the fields of a service by creation; none if there is no such service."""
        return [
            view_field(row)
            for row in self.catalog.fields
            if not row.hidden
            and public_id.encode(IdKind.SERVICE, row.service_id) == service_id.lower()
        ]

    def groups(self) -> Sequence[GroupView]:
        """Return the groups by creation."""
        return [view_group(row) for row in self.catalog.groups if not row.hidden]

    def find_service(self, text: str) -> ServiceRow:
        """Return the service with a public id.

        :raises ratekit.errors.NotFound: there is none
        """
        row = self._services.get(_number(IdKind.SERVICE, text))
        if row is None or row.hidden:
            raise errors.NotFound(f"No such service: None (UUID: {text})")
        return row

    def find_field(self, text: str) -> FieldRow:
        """Return the field with a public id.

        :raises ratekit.errors.NotFound: there is none
        """
        row = self._fields.get(_number(IdKind.FIELD, text))
        if row is None or row.hidden:
            raise errors.NotFound(f"No such field: {text}")
        return row

    def find_group(self, text: str) -> GroupRow:
        """Return the group with a public id.

        :raises ratekit.errors.NotFound: there is none
        """
        row = self._groups.get(_number(IdKind.GROUP, text))
        if row is None or row.hidden:
            raise errors.NotFound(f"No such group: None (UUID: {text})")
        return row

    def service_of(self, field: FieldRow) -> ServiceRow:
        """Return the service of a field."""
        return self._services[field.service_id]

    def find_rule(self, kind: IdKind, text: str) -> RuleView:
        """Return the line of rules with a public id, also if it was deleted.

        :raises ratekit.errors.NotFound: there is none, or its service or field was deleted
        """
        members = self._lines.get((kind, _number(kind, text)), [])
        if not members or not self._has_parent(members[0]):
            raise errors.NotFound(f"No such {kind.name.lower()}: {text}")
        return self._view(kind, members)

    def find_opened(self, kind: IdKind, version: int) -> RuleView:
        """Return a line of which a rule was opened by the change that led to a version.

        :raises StopIteration: there is none
        """
        return next(
            self._view(kind, members)
            for (line_kind, _), members in self._lines.items()
            if line_kind is kind and any(self._opened_at(rule) == version for rule in members)
        )

    def rules(self, kind: IdKind) -> Sequence[RuleView]:
        """Return all lines by creation, deleted ones too; none of a deleted service or field."""
        if kind not in self._views:
            self._views[kind] = [
                self._view(kind, members)
                for (line_kind, _), members in self._lines.items()
                if line_kind is kind and self._has_parent(members[0])
            ]
        return self._views[kind]

    def current(self, view: RuleView) -> Rule:
        """Return the stored rule that a view shows."""
        kind = kind_of(view.rule)
        return _find_current(self._lines[kind, view.rule.line])

    def _opened_at(self, rule: Rule) -> int | None:
        opening = self._record(rule).opening
        return None if opening is None else opening.version

    def _record(self, rule: Rule) -> RuleRecord:
        return self.catalog.records[rule_key(rule)]

    def _has_parent(self, rule: Rule) -> bool:
        service = self.service_rows[rule.target.metric]
        if service.hidden or rule.target.label is None:
            return not service.hidden
        return not self.field_rows[service.id, rule.target.label].hidden

    def _view(self, kind: IdKind, members: Sequence[Rule]) -> RuleView:
        rule = _find_current(members)
        first = self._record(min(members, key=lambda member: member.id or 0))
        over = is_withdrawn(rule) or succession.end(rule) <= self.next_period
        last_closing = self._find_last_closing(rule, members) if over else None
        deletion = None if last_closing is None else last_closing.closing
        updates = {
            signature.version: signature.made_by
            for member in map(self._record, members)
            for signature in (member.opening, member.closing)
            if signature is not None and signature not in (first.opening, deletion)
        }
        return RuleView(
            id=public_id.encode(kind, rule.line or 0),
            rule=hashmap.without_start(rule),
            **self.parents(rule),
            created_at=first.created_at,
            created_by=None if first.opening is None else first.opening.made_by,
            updated_by=updates[max(updates)] if updates else None,
            deleted_at=None if last_closing is None else last_closing.closed_at,
            deleted_by=None if deletion is None else deletion.made_by,
            over=over,
        )

    def _find_last_closing(self, rule: Rule, members: Sequence[Rule]) -> RuleRecord | None:
        """Return the record of what a change closed last; None: the rule ended by itself.

        A rule that was changed and deleted within one period has a successor that was withdrawn.
        """
        if self._record(rule).closed_at is None:
            return None
        withdrawn = (member for member in members if is_withdrawn(member))
        later = (member for member in withdrawn if (member.id or 0) > (rule.id or 0))
        return self._record(max([rule, *later], key=lambda member: member.id or 0))

    def parents(self, rule: Rule) -> dict[str, str | None]:
        """Return the public ids of what a rule belongs to."""
        service, label = self.service_rows[rule.target.metric], rule.target.label
        field = None if label is None else self.field_rows[service.id, label]
        group = None if rule.terms.group is None else self.group_rows[rule.terms.group]
        return {
            "service_id": None if field is not None else view_service(service).id,
            "field_id": None if field is None else view_field(field).id,
            "group_id": None if group is None else view_group(group).id,
        }


def _number(kind: IdKind, text: str) -> int:
    """Return the number in a public id; -1 if the text is none of this kind."""
    parts = public_id.decode(text)
    return parts[1] if parts is not None and parts[0] is kind else -1


def _find_current(members: Sequence[Rule]) -> Rule:
    """Return the last rule of a line in time; a rule that was never in force only if all are so.

    The ids do not tell, because a retroactive change opens rules for earlier times.
    """
    ever_in_force = [rule for rule in members if not is_withdrawn(rule)]
    if ever_in_force:
        return max(ever_in_force, key=succession.start)
    return max(members, key=lambda rule: rule.id or 0)
