"""Filters, labels and pages that summaries and data frames share."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import pydantic

from ratekit.api.arguments import Count, Offset, Pairs
from ratekit.api.faults import Fault
from ratekit.api.operation import Call
from ratekit.api.parts import Parts
from ratekit.api.report_range import Range
from ratekit.api.visibility import Demand
from ratekit.domain.reporting.reports import Selection
from ratekit.files import metrics_file

#: Words for a frame's metric and scope; the scope key is another word for the latter.
METRIC_WORDS, SCOPE_WORDS = ("type", "metric"), ("scope",)
#: Horizon's name of the label that ratekit and CloudKitty call ``id``.
_ALIAS, _ID = "resource_id", "id"

Values = frozenset[str]


class Filtered(Range):
    """The frames that a report includes, and which part of its rows is returned.

    :ivar filters: ``name:value``, repeated or separated by commas; several values of a name: any
        of them. Names are ``type`` (the metric), the scope key (``project_id``) and labels
    :ivar offset: number of rows to skip
    :ivar limit: largest number of rows
    """

    filters: Pairs = pydantic.Field(default_factory=dict)
    offset: Offset = 0
    limit: Count | None = None

    def demand(self, scope_key: str) -> Demand:
        """Return the scopes that the filters name; of these the caller sees his."""
        return demand(self.filters, scope_key)


def demand(filters: Mapping[str, Values], scope_key: str) -> Demand:
    """Return the scopes that filters name; of these the caller sees his."""
    return Demand(_intersect(filters, (scope_key, *SCOPE_WORDS)))


def select(call: Call[Any], bounds: tuple[datetime.datetime, datetime.datetime]) -> Selection:
    """Return the frames that a request asks for, and may see.

    :param bounds: begin and end, UTC
    """
    begin, end = bounds
    filters = call.arguments.filters
    metrics = _intersect(filters, METRIC_WORDS)
    reserved = {*METRIC_WORDS, *SCOPE_WORDS, call.parts.conf.collect.scope_key}
    label_of = label_names(call.parts)
    labels: dict[str, Values] = {}
    for word in filters.keys() - reserved:
        name = label_of(word)
        labels[name] = labels.get(name, filters[word]) & filters[word]
    return Selection(
        begin,
        end,
        # No metrics would be all metrics.
        scopes=call.scopes if metrics is None or metrics else frozenset(),
        metrics=tuple(sorted(metrics or ())),
        labels=labels,
    )


def label_names(parts: Parts) -> Callable[[str], str]:
    """Return a function from a client's word for a label to the label."""

    def label_of(word: str) -> str:
        return _ID if word == _ALIAS and not _has_alias(parts) else word

    return label_of


def require_page(call: Call[Any], limit: int) -> None:
    """Refuse a page that is too large.

    :raises ratekit.api.faults.Fault: it is
    """
    maximum = call.parts.limits.rows
    if limit > maximum:
        raise Fault(400, f"limit: expected at most {maximum} ([api] max_rows), not {limit}")


def _has_alias(parts: Parts) -> bool:
    """Return whether a metric has a label of that name itself."""
    section = parts.conf.collect
    labels = metrics_file.read_labels(section.metrics_conf, section.scope_key)
    return any(_ALIAS in names for names in labels.values())


def _intersect(filters: Mapping[str, Values], words: tuple[str, ...]) -> Values | None:
    """Return the values that all of these words accept; None: no word is used."""
    values = [filters[word] for word in words if word in filters]
    return frozenset.intersection(*values) if values else None
