"""Resources whose records and measures a test writes down, in the real Gnocchi."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import yaml

from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import Window
from ratekit.files import metrics_file
from tests import stack
from tests.builders import HOUR
from tests.oracle.lives import Life
from tests.oracle.model import MINUTE, Resource, Revision, microseconds
from tests.oracle.planting import TYPE, plant

#: Minutes since the start of hour 0 -> value.
Samples = Mapping[float, float]
#: (scope, flavor, hour) -> quantity
Usage = dict[tuple[str, str, int], Decimal]


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """A record of a resource; times are minutes since the start of hour 0.

    :ivar at: when it was made
    :ivar ended: the end of the resource that it tells
    """

    at: float
    scope: str
    flavor: str = "small"
    ended: float | None = None


def every_5_minutes(first: float, last: float, value: float) -> dict[float, float]:
    """Return samples of a constant, at ``first <= t < last``."""
    return {minute: value for minute in range(int(first), int(last), 5)}


@dataclasses.dataclass(frozen=True, slots=True)
class Lives:
    """Lives around hour 0, in scopes that no one else uses.

    :ivar hour: start of hour 0
    :ivar folder: for files
    """

    cloud: stack.Stack
    hour: datetime.datetime
    folder: pathlib.Path
    salt: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    def scope(self, name: str) -> str:
        """Return the id of a scope."""
        return f"{name}-{self.salt}"

    def id(self, name: str) -> str:
        """Return the id of a resource."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {self.salt}"))

    def life(
        self,
        name: str,
        records: Sequence[Record],
        measures: Mapping[str, Samples],
    ) -> Life:
        """Return a life that started when its first record was made, Gnocchi's default.

        :param records: by time
        :param measures: metric -> samples
        """
        ends = [*(record.at for record in records[1:]), None]
        started_at = self._instant(records[0].at)
        revisions = [
            Revision(
                self._instant(record.at),
                None if end is None else self._instant(end),
                self.scope(record.scope),
                self._attributes(name, record),
                started_at,
                None if record.ended is None else self._instant(record.ended),
            )
            for record, end in zip(records, ends, strict=True)
        ]
        samples = {
            metric: [(self._instant(minute), value) for minute, value in sorted(values.items())]
            for metric, values in measures.items()
        }
        return Life(Resource(self.id(name), tuple(revisions)), samples)

    def plant(self, *lives: Life) -> None:
        """Write lives into Gnocchi."""
        plant(self.cloud, lives)

    def metrics(self, metric: str, extra_args: Mapping[str, Any], **keys: Any) -> pathlib.Path:
        """Write a metrics.yml with one metric and return its path.

        :param extra_args: over buckets of 300 s, if they say nothing else
        :param keys: of the metric
        """
        definition = {
            "unit": "unit",
            "groupby": ["id"],
            "metadata": ["flavor"],
            **keys,
            "extra_args": {"resource_type": TYPE, "force_granularity": 300, **extra_args},
        }
        path = self.folder / f"{uuid.uuid4().hex}.yml"
        path.write_text(yaml.safe_dump({"metrics": {metric: definition}}), encoding="utf-8")
        return path

    def usage(
        self,
        collector: GnocchiCollector,
        metrics: pathlib.Path,
        hours: range,
        *scopes: str,
    ) -> Usage:
        """Return the usage of a metric, collected at once; resources add up.

        :param scopes: names
        """
        names = {self.scope(name): name for name in scopes}
        [metric] = metrics_file.read(str(metrics), collector)
        window = Window(self.hour + hours.start * HOUR, HOUR, len(hours))
        usage: Usage = {}
        for series in collector.collect(metric, window, list(names)):
            for begin, quantity in series.points:
                hour = (begin - self.hour) // HOUR
                key = names[series.scope], str(series.metadata["flavor"]), hour
                usage[key] = usage.get(key, Decimal(0)) + quantity
        return usage

    def _instant(self, minute: float) -> int:
        return microseconds(self.hour) + round(minute * MINUTE)

    def _attributes(self, name: str, record: Record) -> dict[str, str | None]:
        scope = self.scope(record.scope)
        return {
            "id": self.id(name),
            "project_id": scope,
            "user_id": f"user-of-{scope}",
            "flavor": record.flavor,
            "size": "1",
            "name": name,
        }
