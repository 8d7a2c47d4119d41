"""Reads single resources' histories and single metrics' measures from Gnocchi."""

from __future__ import annotations

import concurrent.futures
import datetime
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from tests.oracle.definition import Definition
from tests.oracle.model import SECOND, Measures, Resource, Revision, microseconds
from tests.oracle.planting import TYPE, Gnocchi

READERS = 4
#: Metric, aggregation method, granularity.
Series = tuple[str, str, int]
Reading = tuple[Resource, Mapping[Series, Measures]]


def series_of(definition: Definition) -> Series:
    """Return what a definition reads."""
    return definition.metric, definition.method, definition.granularity


def read(gnocchi: Gnocchi, ids: Iterable[str], definitions: Iterable[Definition]) -> list[Reading]:
    """Return each resource, and the measures that the definitions need."""
    wanted = {series_of(definition) for definition in definitions}
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda id_: _read_resource(gnocchi, id_, wanted), ids))


def _read_resource(gnocchi: Gnocchi, id_: str, wanted: Iterable[Series]) -> Reading:
    rows = gnocchi.request(
        "GET", f"/v1/resource/{TYPE}/{id_}/history?sort=revision_start:asc-nullslast"
    )
    metrics = gnocchi.request("GET", f"/v1/resource/{TYPE}/{id_}")["metrics"]
    measures = {
        series: _measures(gnocchi, metrics[series[0]], series)
        for series in wanted
        if series[0] in metrics
    }
    return Resource(id_, tuple(_revision(row) for row in rows)), measures


def _measures(gnocchi: Gnocchi, metric_id: str, series: Series) -> Measures:
    _, method, granularity = series
    rows = gnocchi.request(
        "GET",
        f"/v1/metric/{metric_id}/measures?aggregation={method}&granularity={granularity // SECOND}",
    )
    # The shortest text of a binary number stands for it, as in Gnocchi's answers.
    return {_instant(at): Fraction(repr(value)) for at, _, value in rows}


def _revision(row: Mapping[str, Any]) -> Revision:
    return Revision(
        start=_instant(row["revision_start"]),
        end=_optional_instant(row["revision_end"]),
        scope=row["project_id"],
        attributes=row,
        started_at=_instant(row["started_at"]),
        ended_at=_optional_instant(row["ended_at"]),
    )


def _instant(text: str) -> int:
    return microseconds(datetime.datetime.fromisoformat(text))


def _optional_instant(text: str | None) -> int | None:
    return None if text is None else _instant(text)
