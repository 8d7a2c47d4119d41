"""Computes the correct bill from the raw measures, without any code of ratekit's.

Quantities are those of quantities.py; prices are fractions until the third rounding of
doc/arithmetic.rst. metrics.yml and the rule file are read with PyYAML alone.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import yaml

from tests.functional.quantities import Labels, QuantityOracle, round_half_even
from tests.stack.plan import Plan

#: (scope, begin, metric, labels) -> (quantity, price)
Bill = dict[tuple[str, datetime.datetime, str, Labels], tuple[Decimal, Decimal]]


@dataclasses.dataclass(frozen=True, slots=True)
class BillOracle:
    """The plan, both files, and the ids of projects in Keystone.

    :ivar projects: name -> id, of the rated projects
    """

    plan: Plan
    projects: Mapping[str, str]
    metrics: Mapping[str, Any]
    rules: Mapping[str, Any]

    @classmethod
    def read(cls, plan: Plan, projects: Mapping[str, str], metrics: str, rules: str) -> BillOracle:
        with open(metrics, encoding="utf-8") as file:
            metrics_data = yaml.safe_load(file)["metrics"]
        with open(rules, encoding="utf-8") as file:
            rules_data = yaml.safe_load(file)["services"]
        return cls(plan, projects, metrics_data, rules_data)

    def bill(self) -> Bill:
        """Return every frame of the whole plan."""
        quantity_oracle = QuantityOracle(self.plan, self.projects)
        bill: Bill = {}
        for name, metric in self.metrics.items():
            for key, quantity in quantity_oracle.quantities(name, metric).items():
                scope, _, service, labels = key
                bill[key] = quantity, self._price(service, scope, dict(labels), quantity)
        return bill

    def _price(
        self, service: str, scope: str, labels: dict[str, str | None], quantity: Decimal
    ) -> Decimal:
        tree = self.rules.get(service, {})
        nodes = [(None, tree), *sorted(tree.get("fields", {}).items())]
        groups = {
            rule.get("group")
            for _, node in nodes
            for rule in (*node.get("mappings", []), *node.get("thresholds", []))
        }
        total = sum(
            (self._group(nodes, group, scope, labels, Fraction(quantity)) for group in groups),
            Fraction(0),
        )
        return round_half_even(total, 28)

    def _group(
        self, nodes: Any, group: Any, scope: str, labels: dict[str, str | None], quantity: Fraction
    ) -> Fraction:
        flat, rate = Fraction(0), Fraction(1)
        best: tuple[Fraction, bool, Any] | None = None
        for field, node in nodes:
            label = None if field is None else labels.get(field)
            for rule in _effective_rules(node.get("mappings", []), group, scope, "value"):
                if field is not None and (label is None or str(rule["value"]) != label):
                    continue
                if rule["type"] == "flat":
                    flat = max(flat, Fraction(str(rule["cost"])))
                else:
                    rate *= Fraction(str(rule["cost"]))
            reached = quantity if field is None else _number(label)
            for rule in _effective_rules(node.get("thresholds", []), group, scope, "level"):
                level = Fraction(str(rule["level"]))
                if reached is not None and level <= reached and (best is None or level > best[0]):
                    best = (level, field is None, rule)
        if best is None:
            return flat * rate * quantity
        _, of_service, rule = best
        cost = Fraction(str(rule["cost"]))
        if of_service:
            price = flat * rate * quantity
            return price + cost if rule["type"] == "flat" else price * cost
        if rule["type"] == "flat":
            return (flat + cost) * rate * quantity
        return flat * rate * cost * quantity


def _effective_rules(rules: Any, group: Any, scope: str, key: str) -> Iterator[Any]:
    """Yield the scope's rules, then general ones; a scope's rule replaces that of its value."""
    of_group = [rule for rule in rules if rule.get("group") == group]
    scope_rules = [rule for rule in of_group if rule.get("scope") == scope]
    replaced = {str(rule.get(key)) for rule in scope_rules}
    yield from scope_rules
    for rule in of_group:
        if "scope" not in rule and str(rule.get(key)) not in replaced:
            yield rule


def _number(label: str | None) -> Fraction | None:
    try:
        return None if label is None else Fraction(label)
    except ValueError:
        return None
