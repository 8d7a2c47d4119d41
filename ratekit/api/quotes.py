"""Which rules, metrics and labels a quote may use: those of the caller's own project."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ratekit import errors
from ratekit.admin import quote
from ratekit.api.faults import Fault
from ratekit.api.labels import read_labels
from ratekit.api.operation import Call
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.files import metrics_file


def choose_scope(call: Call[Any]) -> str:
    """Return the only scope that a request may see, if there is one."""
    scopes = call.scopes
    return quote.NO_SCOPE if scopes is ALL_SCOPES or not scopes else min(scopes)


def read_usage_labels(call: Call[Any], values: Mapping[str, Any]) -> Mapping[str, str | None]:
    """Return the labels of a usage with those of its scope.

    :raises ratekit.api.faults.Fault: a value is no text, or the labels name a scope to a caller who
        has none
    :raises ratekit.errors.OperatorError: they name another scope
    """
    scope_key = call.parts.conf.collect.scope_key
    labels = read_labels(values)
    scope = choose_scope(call)
    if scope == quote.NO_SCOPE and call.scopes is not ALL_SCOPES and scope_key in labels:
        # It would show the prices of another.
        raise Fault(400, f"{scope_key}: leave it out, because the token is for no project")
    return quote.add_scope_label(labels, scope_key, scope)


def require_metrics(
    call: Call[Any], book: RuleBook, begin: datetime.datetime, metrics: Collection[str]
) -> None:
    """Refuse metrics that nothing could be charged for.

    :param begin: of the period, UTC
    :raises ratekit.api.faults.Fault: there is one
    """
    section = call.parts.conf.collect
    if call.scopes is ALL_SCOPES:
        labels = metrics_file.read_labels(section.metrics_conf, section.scope_key)
        for metric in sorted(metrics):
            quote.require_metric(metric, book, labels)
        return
    # Names in the rules of others may tell who they are and what they pay for.
    names = {rule.target.metric for rule in _visible_rules(call, book, begin)}
    if names.issuperset(metrics):
        return
    names |= metrics_file.read_labels(section.metrics_conf, section.scope_key).keys()
    for metric in sorted(metrics):
        if metric not in names:
            hint = errors.suggestion(metric, names)
            raise Fault(400, f"neither metrics.yml nor any rule in force has {metric!r}{hint}")


def _visible_rules(call: Call[Any], book: RuleBook, begin: datetime.datetime) -> Iterator[Rule]:
    """Yield the rules in force for everybody or for the caller's project."""
    scope = choose_scope(call)
    for rule in book.rules:
        is_visible = rule.terms.scope in (None, scope or None)
        if is_visible and rule.terms.in_force(begin):
            yield rule
