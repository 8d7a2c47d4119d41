"""The answers of the replay, as bytes; their shape is Gnocchi 4.7's."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.bench.replay import resources
from tests.bench.replay.resources import FLAVORS, Piece, Settings
from tests.bench.replay.values import METRICS, Grid, aggregates, piece_aggregates

Query = Mapping[str, Sequence[str]]

#: Attributes that each type adds.
ATTRIBUTES = {
    "instance": ("display_name", "host", "flavor_id", "flavor_name", "image_ref", "vcpus"),
    "volume": ("display_name", "volume_type"),
    "snapshot": ("display_name",),
}
_POLICY = {
    "name": "replay",
    "back_window": 0,
    "definition": [
        {"granularity": "0:05:00", "timespan": "3650 days, 0:00:00", "points": 1_051_200},
        {"granularity": "1:00:00", "timespan": "3650 days, 0:00:00", "points": 87_600},
    ],
    "aggregation_methods": ["mean", "max", "last", "count", "sum"],
}
_ROW = '{"measures": {"measures": {"aggregated": %s}}, "group": {%s}}'


def answer(path: str, query: Query, body: Any, settings: Settings) -> tuple[bytes, int]:
    """Return the response to a request, and how many points it has."""
    if path == "/v1/aggregates":
        if body["operations"][0] == "aggregate":
            return _answer_aggregates(query, body, settings)
        return b'{"references": [], "measures": {}}', 0
    if path.startswith("/v1/resource_type/"):
        name = path.rpartition("/")[2]
        attribute = {"type": "string", "required": False, "max_length": 255, "min_length": 0}
        attributes = dict.fromkeys(ATTRIBUTES.get(name, ()), attribute)
        content = {"name": name, "state": "active", "attributes": attributes}
        return json.dumps(content).encode(), 0
    if path == "/v1/archive_policy":
        return json.dumps([_POLICY]).encode(), 0
    if path == "/v1/status":
        return b'{"storage": {"summary": {"metrics": 0, "measures": 0}}}', 0
    # Listings of metrics and of resources.
    return b"[]", 0


def _answer_aggregates(query: Query, body: Any, settings: Settings) -> tuple[bytes, int]:
    metric, type_ = body["operations"][2][1], body["resource_type"]
    if metric not in METRICS.get(type_, ()) or "use_history" not in query:
        return b"[]", 0
    start, stop = (datetime.datetime.fromisoformat(query[name][0]) for name in ("start", "stop"))
    grid = Grid(start, stop, int(float(query["granularity"][0])))
    conditions = body["search"].get("and", [body["search"]])
    wants = resources.id_filter(conditions)
    group = _group_writer(sorted(query["groupby"]))
    whole = resources.whole_piece(start, stop)
    parts = resources.pieces(start, stop, settings.hours, type_ == "snapshot")
    rows = []
    for scope in scopes_of(conditions):
        for number in resources.numbers_of(scope, type_, settings):
            id_ = resources.resource_id(number, settings)
            if not wants(id_):
                continue
            if not resources.is_changing(number, settings):
                rows.append(
                    _ROW % (aggregates(metric, number, grid), group(number, id_, scope, whole))
                )
                continue
            for piece in parts:
                text = piece_aggregates(metric, number, grid, piece)
                rows.append(_ROW % (text, group(number, id_, scope, piece)))
    content = f"[{', '.join(rows)}]".encode()
    # A bucket is the only list that begins with a text.
    return content, content.count(b'["')


def scopes_of(conditions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the scopes that a search is limited to."""
    for condition in conditions:
        for key, value in condition.get("in", {}).items():
            if key != "id":
                return list(value)
        if "project_id" in condition.get("=", {}):
            return [condition["="]["project_id"]]
    return []


def _group_writer(names: Sequence[str]) -> Callable[[int, str, str, Piece], str]:
    """Return what writes the attributes of a group in JSON, in the order of ``names``."""
    texts = {
        "id": '"%(id)s"',
        "project_id": '"%(scope)s"',
        "user_id": '"user-%(scope)s"',
        "display_name": '"name-%(number)d"',
        "flavor_name": '"%(flavor)s"',
        "flavor_id": '"id-of-%(flavor)s"',
        "vcpus": '"%(vcpus)d"',
        "host": '"compute-%(vcpus)d"',
        "volume_type": '"type-%(vcpus)d"',
        "revision_start": "%(revision_start)s",
        "revision_end": "%(revision_end)s",
        "started_at": "%(started_at)s",
        "ended_at": "%(ended_at)s",
    }
    template = ", ".join(f'"{name}": {texts.get(name, "null")}' for name in names)

    def write(number: int, id_: str, scope: str, piece: Piece) -> str:
        kind = number // 2 % len(FLAVORS)
        return template % {
            "id": id_,
            "scope": scope,
            "number": number,
            "flavor": FLAVORS[kind],
            "vcpus": 1 << kind,
            "revision_start": piece.revision_start,
            "revision_end": piece.revision_end,
            "started_at": piece.started_at,
            "ended_at": piece.ended_at,
        }

    return write
