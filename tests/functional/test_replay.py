"""The benchmarks' replay answers in the shape of the real Gnocchi."""

from __future__ import annotations

import datetime
import json
import re
import urllib.parse
from typing import Any

from tests import stack
from tests.bench.replay.answers import answer
from tests.bench.replay.resources import EPOCH, Settings

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00\Z")
_GROUPBY = [
    "display_name", "ended_at", "flavor_id", "flavor_name", "host", "id", "project_id",
    "revision_end", "revision_start", "started_at", "user_id",
]  # fmt: skip
_HOUR = datetime.timedelta(hours=1)


def _shape(content: Any) -> Any:
    """Return the types in a response; instants are told from other texts."""
    if isinstance(content, dict):
        return {key: _shape(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_shape(item) for item in content]
    if isinstance(content, str):
        return "instant" if _INSTANT.match(content) else "text"
    return type(content).__name__


def _shapes(rows: Any) -> set[str]:
    """Return the distinct shapes of groups; what may be absent in one of them is left out."""
    shapes = set()
    for row in rows:
        shape = _shape(row)
        buckets = shape["measures"]["measures"]["aggregated"]
        shape["measures"]["measures"]["aggregated"] = buckets[:1]
        # Gnocchi has no flavor of some resources, and the replay no end of most.
        for name in ("ended_at", "revision_end", "display_name", "host", "flavor_id"):
            assert shape["group"].pop(name) in ("instant", "text", "NoneType")
        shapes.add(json.dumps(shape, sort_keys=True))
    return shapes


def _body(metric: str, projects: list[str]) -> dict[str, Any]:
    return {
        "operations": ["aggregate", "max", ["metric", metric, "mean"]],
        "resource_type": "instance",
        "search": {"and": [{"=": {"type": "instance"}}, {"in": {"project_id": projects}}]},
    }


def _parameters(begin: datetime.datetime, end: datetime.datetime) -> dict[str, Any]:
    return {
        "groupby": _GROUPBY,
        "use_history": "true",
        "start": begin.isoformat(),
        "stop": end.isoformat(),
        "granularity": "3600",
    }


def _replay_rows(hours: int, settings: Settings) -> list[Any]:
    parameters = _parameters(EPOCH, EPOCH + hours * _HOUR)
    query = urllib.parse.parse_qs(urllib.parse.urlencode(parameters, doseq=True))
    content, _ = answer("/v1/aggregates", query, _body("cpu", [f"{3:032x}"]), settings)
    rows: list[Any] = json.loads(content)
    return rows


def test_aggregates_have_the_real_shape(cloud: stack.Stack) -> None:
    plan = cloud.plan()
    response = cloud.session().post(
        cloud.gnocchi_url + "/v1/aggregates",
        params=_parameters(plan.begin, plan.begin + 6 * _HOUR),
        json=_body("cpu", sorted(cloud.project_ids.values())),
    )
    assert _shapes(_replay_rows(6, Settings(changing_every=2))) <= _shapes(response.json())


def test_any_part_of_the_time_has_the_same_values() -> None:
    settings = Settings(resources=40, changing_every=2, hours=2)

    def values(rows: list[Any]) -> dict[tuple[str, str, str], float]:
        return {
            (row["group"]["id"], row["group"]["revision_start"], begin): value
            for row in rows
            for begin, _, value in row["measures"]["measures"]["aggregated"]
        }

    whole, part = (values(_replay_rows(hours, settings)) for hours in (6, 3))
    assert part
    assert part.items() <= whole.items()
