"""The fields of the form that asks for a price, and what is wrong with each of them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import pydantic

from ratekit import errors
from ratekit.admin import quote
from ratekit.api.arguments import Text, first_text
from ratekit.api.faults import Fault
from ratekit.api.quotes import choose_scope, require_metrics
from ratekit.dashboard.page import PageCall, require_calendar
from ratekit.dashboard.pages.project import ProjectArguments
from ratekit.domain.period import Period
from ratekit.domain.rules import calendar_labels
from ratekit.domain.rules.rule import Rule, RuleBook, ThresholdRule

#: What stands before the name of a label.
PREFIX = "label:"
#: Labels of a request, and values that a field offers.
_MAX_LABELS, _MAX_VALUES = 100, 200
_MAX_LENGTH = 255


class Query(ProjectArguments):
    """A usage in one period; other fields are labels, such as ``label:flavor_name``.

    Wrong values are answered by the page, which keeps them.

    :ivar metric: public name
    :ivar quantity: in the unit of the metric; absent: the form is not filled in yet
    :ivar at: a time in the period, in the reader's zone; default: now
    """

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    metric: Text | None = None
    quantity: Text | None = None
    at: Text | None = None

    @pydantic.model_validator(mode="after")
    def _require_labels(self) -> Query:
        extra = self.model_extra or {}
        for name, value in extra.items():
            if not name.startswith(PREFIX):
                hint = errors.suggestion(name, type(self).model_fields)
                raise ValueError(f"unknown argument {name[:60]!r}{hint}")
            text = first_text(value)
            if not isinstance(text, str) or len(text) > _MAX_LENGTH or not text.isprintable():
                raise ValueError(
                    f"{name[:60]}: expected printable text of at most {_MAX_LENGTH} characters"
                )
        if len(extra) > _MAX_LABELS:
            raise ValueError(f"expected at most {_MAX_LABELS} labels, not {len(extra):,}")
        return self

    def read_labels(self) -> Mapping[str, str]:
        """Return the values of labels by name."""
        extra = self.model_extra or {}
        return {name.removeprefix(PREFIX): first_text(value) for name, value in extra.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class LabelField:
    """A field for a label.

    :ivar values: that prices look for
    :ivar priced: a price depends on it
    :ivar mistake: what is wrong with it; empty: nothing
    """

    name: str
    value: str
    values: Sequence[str]
    priced: bool
    mistake: str


class QuoteForm:
    """What was entered, and what of it is wrong.

    :ivar mistakes: what is wrong with the fields that are no labels; empty: nothing
    :ivar labels: a field for each label of the metric, and for each one that was entered
    :ivar quantity: None: it is absent or wrong
    :ivar period: None: the time is wrong
    """

    def __init__(self, call: PageCall[Query], book: RuleBook) -> None:
        self._call = call
        self._book = book
        self.mistakes = {"metric": "", "quantity": "", "at": ""}
        self.period = self._read_period()
        begin = call.parts.clock() if self.period is None else self.period.begin
        self._rules = list(self._visible_rules(begin))
        self.quantity = self._read_quantity()
        self._check_metric(begin)
        self.labels = list(self._fields())

    @property
    def is_complete(self) -> bool:
        """Whether a price can be computed."""
        has_values = self._call.arguments.metric is not None and self.quantity is not None
        return has_values and not self.is_wrong

    @property
    def is_wrong(self) -> bool:
        """Whether a field has a mistake."""
        return any([*self.mistakes.values(), *(field.mistake for field in self.labels)])

    @property
    def metrics(self) -> Sequence[str]:
        """The metrics that can be chosen, and what was entered."""
        names = {info.name for info in self._call.parts.metrics.read().infos}
        names.update(rule.target.metric for rule in self._rules)
        return sorted(names)

    @property
    def unit(self) -> str:
        """Of the metric; empty: not known."""
        units = {info.name: info.unit for info in self._call.parts.metrics.read().infos}
        return units.get(self._call.arguments.metric or "", "")

    def _visible_rules(self, begin: datetime.datetime) -> Iterator[Rule]:
        """Yield the rules in force for everybody or for the reader's project."""
        scope = choose_scope(self._call)
        for rule in self._book.rules:
            if rule.terms.scope in (None, scope or None) and rule.terms.in_force(begin):
                yield rule

    def _read_period(self) -> Period | None:
        text = self._call.arguments.at
        instant = self._call.parts.clock()
        try:
            if text is not None:
                instant = require_calendar(datetime.datetime.fromisoformat(text.strip()))
                if instant.tzinfo is None:
                    instant = instant.replace(tzinfo=self._call.zone)
                instant = instant.astimezone(datetime.UTC)
            return quote.period_of(self._call.parts.calendar, instant)
        except (ValueError, OverflowError, errors.OperatorError):
            self.mistakes["at"] = "Enter a date and a time, such as 2026-03-01 12:00."
            return None

    def _read_quantity(self) -> Decimal | None:
        text = self._call.arguments.quantity
        if text is None:
            return None
        try:
            return quote.read_quantity("quantity", text.strip())
        except errors.OperatorError:
            self.mistakes["quantity"] = (
                "Enter a number of at least 0 with a point before its decimal places, such as 2.5."
            )
            return None

    def _check_metric(self, begin: datetime.datetime) -> None:
        metric = self._call.arguments.metric
        if metric is None:
            return
        try:
            require_metrics(self._call, self._book, begin, {metric})
        except (Fault, errors.OperatorError):
            hint = errors.suggestion(metric, self.metrics)
            self.mistakes["metric"] = f"There is no metric {metric!r}{hint}."

    def _fields(self) -> Iterator[LabelField]:
        query = self._call.arguments
        entered = query.read_labels()
        rules = [rule for rule in self._rules if rule.target.metric == query.metric]
        values: dict[str, set[str]] = {}
        for rule in rules:
            if rule.target.label is not None:
                texts = values.setdefault(rule.target.label, set())
                if not isinstance(rule, ThresholdRule) and rule.value is not None:
                    texts.add(rule.value)
        names = {*values}
        for info in self._call.parts.metrics.read().infos:
            if info.name == query.metric:
                names.update(info.labels)
        names -= {self._call.parts.conf.collect.scope_key, *calendar_labels.NAMES}
        for name in sorted({*names, *entered}, key=lambda name: (name not in values, name)):
            yield LabelField(
                name,
                entered.get(name, ""),
                sorted(values.get(name, ()))[:_MAX_VALUES],
                name in values,
                "" if name in names else self._explain(name, names),
            )

    def _explain(self, name: str, names: set[str]) -> str:
        if name in calendar_labels.NAMES:
            return "Leave this empty: it follows from the time."
        if self.mistakes["metric"] or self._call.arguments.metric is None:
            return ""
        hint = errors.suggestion(name, names)
        return f"{self._call.arguments.metric} has no label {name!r}{hint}. Leave this empty."
