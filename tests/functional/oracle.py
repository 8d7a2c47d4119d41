"""What a right bill is, worked out from the raw measures without a line of ratekit's code.

Everything is a fraction until one of the design's three roundings. Reads metrics.yml and the
rule file with PyYAML on its own terms.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import yaml

from tests.stack.plan import Plan, Resource

HOUR = datetime.timedelta(hours=1)
WAIT = 2 * HOUR
SECOND = datetime.timedelta(seconds=1)

Labels = tuple[tuple[str, str | None], ...]
#: (scope, begin, metric, labels) -> (quantity, price)
Bill = dict[tuple[str, datetime.datetime, str, Labels], tuple[Decimal, Decimal]]


@dataclasses.dataclass(frozen=True, slots=True)
class Oracle:
    """Knows the plan, both files and the ids that Keystone gave.

    :ivar projects: name -> id, of the projects that are rated
    """

    plan: Plan
    projects: Mapping[str, str]
    metrics: Mapping[str, Any]
    rules: Mapping[str, Any]

    @classmethod
    def read(cls, plan: Plan, projects: Mapping[str, str], metrics: str, rules: str) -> Oracle:
        with open(metrics, encoding="utf-8") as file:
            metrics_data = yaml.safe_load(file)["metrics"]
        with open(rules, encoding="utf-8") as file:
            rules_data = yaml.safe_load(file)["services"]
        return cls(plan, projects, metrics_data, rules_data)

    def bill(self) -> Bill:
        """Every frame of the whole plan."""
        bill: Bill = {}
        for resource in self.plan.resources:
            if resource.project not in self.projects:
                continue
            for name, metric in self.metrics.items():
                if metric["extra_args"]["resource_type"] != resource.type:
                    continue
                service = metric.get("alt_name", name)
                for hour in self.plan.hours():
                    for labels, quantity in self._used(resource, name, metric, hour):
                        scope = self.projects[resource.project]
                        price = self._price(service, scope, dict(labels), quantity)
                        bill[scope, hour, service, labels] = (quantity, price)
        return bill

    def _used(
        self, resource: Resource, name: str, metric: Any, hour: datetime.datetime
    ) -> Iterator[tuple[Labels, Decimal]]:
        step = datetime.timedelta(seconds=metric["extra_args"].get("force_granularity", 3600))
        pools: dict[Labels, dict[datetime.datetime, Fraction]] = {}
        times: dict[Labels, datetime.timedelta] = {}
        for index, revision in enumerate(resource.revisions):
            if revision.begin >= hour + HOUR + WAIT:
                continue
            labels = self._labels(resource, metric, revision.attributes)
            for number in range(HOUR // step):
                bucket = hour + number * step
                values = resource.values(name, bucket, bucket + step)
                starts = bucket if index == 0 else max(revision.begin, bucket)
                ends = min(revision.end or bucket + step, bucket + step)
                if not values or ends <= starts:
                    continue
                mean = sum(map(Fraction, values), Fraction(0)) / len(values)
                if (starts, ends) != (bucket, bucket + step):
                    mean = _fifteen_digits(mean)
                pools.setdefault(labels, {})[bucket] = mean
            lived = min(revision.end or hour + HOUR, hour + HOUR) - max(revision.begin, hour)
            times[labels] = times.get(labels, datetime.timedelta(0)) + max(
                lived, datetime.timedelta(0)
            )
        whole = sum((times[labels] for labels in pools), datetime.timedelta(0)) // SECOND
        for labels, buckets in pools.items():
            value = sum(buckets.values(), Fraction(0)) / len(buckets)
            share = Fraction(1) if len(pools) == 1 else Fraction(times[labels] // SECOND, whole)
            yield labels, _rounded(_converted(value, metric) * share, 18)

    def _labels(self, resource: Resource, metric: Any, attributes: Mapping[str, str]) -> Labels:
        known: dict[str, str | None] = {
            **attributes,
            "id": str(resource.id),
            "user_id": resource.user_id,
            "project_id": self.projects[resource.project],
        }
        names = {*metric.get("groupby", []), *metric.get("metadata", []), "id", "project_id"}
        return tuple((name, known.get(name, "")) for name in sorted(names))

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
        return _rounded(total, 28)

    def _group(
        self, nodes: Any, group: Any, scope: str, labels: dict[str, str | None], quantity: Fraction
    ) -> Fraction:
        flat, rate = Fraction(0), Fraction(1)
        best: tuple[Fraction, bool, Any] | None = None
        for field, node in nodes:
            label = None if field is None else labels.get(field)
            for rule in _own_first(node.get("mappings", []), group, scope, "value"):
                if field is not None and (label is None or str(rule["value"]) != label):
                    continue
                if rule["type"] == "flat":
                    flat = max(flat, Fraction(str(rule["cost"])))
                else:
                    rate *= Fraction(str(rule["cost"]))
            reached = quantity if field is None else _number(label)
            for rule in _own_first(node.get("thresholds", []), group, scope, "level"):
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


def _own_first(rules: Any, group: Any, scope: str, key: str) -> Iterator[Any]:
    """A scope's own rule stands in for the general one of the same value or level."""
    of_group = [rule for rule in rules if rule.get("group") == group]
    own = [rule for rule in of_group if rule.get("scope") == scope]
    taken = {str(rule.get(key)) for rule in own}
    yield from own
    for rule in of_group:
        if "scope" not in rule and str(rule.get(key)) not in taken:
            yield rule


def _number(label: str | None) -> Fraction | None:
    try:
        return None if label is None else Fraction(label)
    except ValueError:
        return None


def _converted(value: Fraction, metric: Any) -> Fraction:
    factor = Fraction(1)
    for index, part in enumerate(str(metric.get("factor", 1)).split("/")):
        factor = Fraction(part) if index == 0 else factor / Fraction(part)
    quantity = value * factor + Fraction(str(metric.get("offset", 0)))
    match metric.get("mutate", "NONE"):
        case "NUMBOOL":
            return Fraction(1 if quantity else 0)
        case "NOTNUMBOOL":
            return Fraction(0 if quantity else 1)
        case "CEIL":
            return Fraction(math.ceil(quantity))
        case "FLOOR":
            return Fraction(math.floor(quantity))
    return quantity


def _fifteen_digits(value: Fraction) -> Fraction:
    with decimal.localcontext(prec=15, rounding=decimal.ROUND_HALF_EVEN):
        return Fraction(Decimal(value.numerator) / Decimal(value.denominator))


def _rounded(value: Fraction, places: int) -> Decimal:
    """Python rounds fractions half to even."""
    return Decimal(round(value * 10**places)).scaleb(-places, decimal.Context(prec=200))
