"""CloudKitty's own hashmap as a process that prices usage on request.

    python -m tests.differential.cloudkitty_server

A request is a line of JSON on standard input:

* ``rules``: each with service, field, value (of a mapping) or level (of a threshold), type,
  cost, group, scope, start and end, null for none;
* ``series``: each with scope, metric, groupby, metadata and points [[begin, quantity], ...];
* ``before``: price of each point by previous modules;
* ``stored``: whether CloudKitty reads the rules from its own tables in an SQLite database or
  from memory, which is about a hundred times as fast.

The response is a line with the price by CloudKitty of each point of each series, or the name of
the exception that it raises. Numbers are text in both directions. CloudKitty's own classes, not
modified, add the calendar to the labels, load the rules and compute the price. Nothing is
imported from ratekit.
"""

from __future__ import annotations

import datetime
import decimal
import itertools
import json
import sys
import types
from decimal import Decimal
from typing import Any

from cloudkitty import collector, dataframe, db
from cloudkitty.rating.hash import HashMap
from cloudkitty.rating.hash.db import api
from cloudkitty.rating.hash.db.sqlalchemy import models
from oslo_config import cfg

#: CloudKitty computes with 28 digits. In this context it does not round, and would raise first.
EXACT = decimal.Context(
    prec=2000,
    Emin=-999999,
    Emax=999999,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

Rule = dict[str, Any]


def main() -> None:
    """Respond until standard input ends."""
    decimal.setcontext(EXACT)
    # CloudKitty logs to standard output.
    responses, sys.stdout = sys.stdout, sys.stderr
    database = api.IMPL
    tables: Tables | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["stored"]:
            tables = tables or Tables()
            tables.fill(request["rules"])
            api.IMPL = database
        else:
            api.IMPL = Memory(request["rules"])
        response = [_prices(series, Decimal(request["before"])) for series in request["series"]]
        print(json.dumps(response), file=responses, flush=True)


def _prices(series: dict[str, Any], before: Decimal) -> list[str]:
    module = HashMap(series["scope"])
    prices = []
    for begin, quantity in series["points"]:
        start = datetime.datetime.fromisoformat(begin)
        module.reload_config(start)
        point = collector.BaseCollector._create_data_point(
            types.SimpleNamespace(collector_name="differential"),
            {"unit": "unit"},
            Decimal(quantity),
            before,
            dict(series["groupby"]),
            dict(series["metadata"]),
            start,
        )
        frame = dataframe.DataFrame(start, start + datetime.timedelta(hours=1))
        frame.add_point(point, series["metric"])
        try:
            [(_, rated_point)] = module.process(frame).iterpoints()
        except (decimal.InvalidOperation, TypeError) as error:
            prices.append(type(error).__name__)
        else:
            prices.append(str(rated_point.price))
    return prices


class Memory:
    """A fake of CloudKitty's database: the methods by which its hashmap reads rules.

    Ids are positions or names. Fields are sorted by name: CloudKitty's database guarantees no
    order, and of equal levels the first field takes precedence. Thresholds have a validity, as
    mappings have.
    """

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        for rule in rules:
            rule["start"], rule["end"] = _instant(rule["start"]), _instant(rule["end"])

    def list_services(self) -> list[str]:
        return sorted({rule["service"] for rule in self._rules})

    def get_service(self, uuid: str) -> Any:
        return types.SimpleNamespace(name=uuid)

    def list_fields(self, service: str) -> list[tuple[str, str]]:
        return sorted(
            {
                (service, rule["field"])
                for rule in self._rules
                if rule["service"] == service and rule["field"] is not None
            }
        )

    def get_field(self, uuid: tuple[str, str]) -> Any:
        return types.SimpleNamespace(name=uuid[1])

    def list_mappings(self, **filters: Any) -> list[int]:
        return self._list_rules(False, **filters)

    def list_thresholds(self, **filters: Any) -> list[int]:
        return self._list_rules(True, **filters)

    def _list_rules(
        self,
        thresholds: bool,
        service_uuid: str | None,
        field_uuid: tuple[str, str] | None,
        tenant_uuid: str | None,
        is_active: Any,
    ) -> list[int]:
        if is_active is True:
            # CloudKitty first reads the current rules; it reads again before it prices.
            return []
        return [
            position
            for position, rule in enumerate(self._rules)
            if (rule["level"] is not None) == thresholds
            and (rule["service"], rule["field"]) == (field_uuid or (service_uuid, None))
            and rule["scope"] == tenant_uuid
            and (rule["start"] is None or rule["start"] <= is_active)
            and (rule["end"] is None or rule["end"] > is_active)
        ]

    def get_mapping(self, uuid: int) -> Any:
        return _row(self._rules[uuid])

    def get_threshold(self, uuid: int) -> Any:
        return _row(self._rules[uuid])


def _row(rule: Rule) -> Any:
    return types.SimpleNamespace(
        group_id=rule["group"],
        group=types.SimpleNamespace(name=rule["group"]),
        value=rule["value"],
        level=None if rule["level"] is None else Decimal(rule["level"]),
        map_type=rule["type"],
        cost=Decimal(rule["cost"]),
    )


def _instant(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)


class Tables:
    """CloudKitty's own tables and queries, in an SQLite database in memory.

    SQLite has binary floats only, and CloudKitty's thresholds have no end.
    """

    def __init__(self) -> None:
        cfg.CONF([], project="cloudkitty", default_config_files=[])
        cfg.CONF.set_override("connection", "sqlite://", "database")
        self._numbers = itertools.count(1)
        self._ids: dict[tuple[str, ...], int] = {}
        with db.session_for_write() as session:
            models.Base.metadata.create_all(session.connection())

    def fill(self, rules: list[Rule]) -> None:
        """Replace all rows; insert fields by name."""
        self._ids.clear()
        with db.session_for_write() as session:
            for table in reversed(models.Base.metadata.sorted_tables):
                session.execute(table.delete())
            for rule in sorted(rules, key=lambda rule: rule["field"] or ""):
                session.add(self._row(session, rule))

    def _row(self, session: Any, rule: Rule) -> Any:
        columns = {
            "service_id": self._find_or_insert(session, models.HashMapService, rule["service"]),
            "map_type": rule["type"],
            "cost": Decimal(rule["cost"]),
            "tenant_id": rule["scope"],
        }
        if rule["field"] is not None:
            service = columns.pop("service_id")
            name = rule["field"]
            field = self._find_or_insert(session, models.HashMapField, name, service_id=service)
            columns["field_id"] = field
        if rule["group"] is not None:
            columns["group_id"] = self._find_or_insert(session, models.HashMapGroup, rule["group"])
        if rule["level"] is not None:
            level = Decimal(rule["level"])
            return models.HashMapThreshold(threshold_id=self._uuid(), level=level, **columns)
        uuid = self._uuid()
        return models.HashMapMapping(
            mapping_id=uuid,
            name=uuid,
            value=rule["value"],
            start=_instant(rule["start"]) or LONG_AGO,
            end=_instant(rule["end"]),
            created_at=LONG_AGO,
            created_by="test",
            **columns,
        )

    def _find_or_insert(self, session: Any, model: Any, name: str, **columns: Any) -> int:
        """Return the id of the row with that name; insert it if there is none."""
        key = (model.__name__, name, str(columns))
        if key not in self._ids:
            kind = model.__name__.removeprefix("HashMap").lower()
            row = model(name=name, **{f"{kind}_id": self._uuid()}, **columns)
            session.add(row)
            session.flush()
            self._ids[key] = row.id
        return self._ids[key]

    def _uuid(self) -> str:
        """Return an id that sorts after all previous ones, so that rows keep their order."""
        return f"{next(self._numbers):09}"


if __name__ == "__main__":
    main()
