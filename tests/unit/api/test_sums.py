"""Sums over the API are those of ``ratekit summary``, to the digit."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.cmd import ratekit as command
from ratekit.domain.period import Window
from ratekit.domain.reporting.bill import add_up
from ratekit.storage import migrate
from ratekit.text import number_text
from tests.api_client import NOW, Client
from tests.contract.given import HOUR, batch, build_series, list_scopes
from tests.databases import new_database

BEGIN = datetime.datetime(2025, 12, 30, tzinfo=datetime.UTC)
COUNT = 72
SCOPES = ["a1", "b2", "c3"]
METRICS = {"instance": "instance", "volume": "GiB", "ip": "ip"}
#: Keys of ``ratekit summary`` and words of the API for the same.
KEYS = {
    "scope": "project_id", "metric": "type", "day": "time-d", "week": "time-w", "month": "time-m",
    "year": "time-y", "flavor": "flavor", "id": "id",
}  # fmt: skip
#: The second has no full hours of UTC.
ZONES = ["UTC", "Asia/Kathmandu", "America/New_York"]


class Selection(NamedTuple):
    """What both are asked for."""

    begin: datetime.datetime
    end: datetime.datetime
    scopes: Sequence[str]
    metrics: Sequence[str]
    keys: Sequence[str]
    zone: str


selections = st.builds(
    lambda hours, *rest: Selection(BEGIN + min(hours) * HOUR, BEGIN + max(hours) * HOUR, *rest),
    st.sets(st.integers(-5, COUNT + 5), min_size=2, max_size=2),
    st.lists(st.sampled_from(SCOPES), max_size=2, unique=True),
    st.lists(st.sampled_from([*METRICS]), max_size=2, unique=True),
    st.lists(st.sampled_from([*KEYS]), max_size=3, unique=True),
    st.sampled_from(ZONES),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return an API over three days of usage around a new year, with prices of 28 places."""
    folder = tmp_path_factory.mktemp("sums")
    with new_database("sqlite", folder) as url:
        migrate.upgrade(url)
        (folder / "metrics.yml").write_text(
            "metrics: {instance: {unit: instance, groupby: [flavor]}}", encoding="utf-8"
        )
        extra = f"[collect]\nmetrics_conf = {folder / 'metrics.yml'}\n"
        client = Client(folder, url, extra)
        storage = client.parts.storage
        states = list_scopes(storage, *SCOPES, start=BEGIN, resume=BEGIN, now=BEGIN)
        series = [
            build_series(
                scope,
                [
                    (f"{hour}.{number}{index}", f"{number}.{hour:02}{'0' * 23}{index}{number}7")
                    for hour in range(COUNT)
                ],
                metric=metric,
                unit=unit,
                begin=BEGIN,
                labels={"id": f"r{number}"} if number else {},
                metadata={"flavor": "small" if number % 2 else None},
            )
            for index, scope in enumerate(SCOPES[:2])
            for number, (metric, unit) in enumerate([*METRICS.items(), ("volume", "GiB")])
        ]
        storage.ledger.commit(batch(states, *series, periods=Window(BEGIN, HOUR, COUNT)))
        yield client


def run_command(client: Client, selection: Selection) -> Mapping[tuple[str, ...], tuple[Any, Any]]:
    """Return quantity and price of each group, as the command prints them."""
    config = str(pathlib.Path(client.conf.config_file[0]))
    argv = ["--config-file", config, "summary", "-f", "json"]
    argv += ["--begin", selection.begin.isoformat(), "--end", selection.end.isoformat()]
    argv += [part for scope in selection.scopes for part in ("--scope", scope)]
    argv += [part for metric in selection.metrics for part in ("--metric", metric)]
    argv += ["--groupby", ",".join(selection.keys), "--timezone", selection.zone]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert command.main(argv, command.Ratekit(clock=lambda: NOW)) == 0
    columns = [key.capitalize() if key not in {"flavor", "id"} else key for key in selection.keys]
    return {
        tuple(row[column] for column in columns): (row["Quantity"], row["Price"])
        for row in json.loads(output.getvalue())
    }


def ask_api(client: Client, selection: Selection) -> Mapping[tuple[str, ...], tuple[Any, Any]]:
    """Return the same from the API; times by their bucket's start."""
    filters = [f"project_id:{scope}" for scope in selection.scopes]
    filters += [f"type:{metric}" for metric in selection.metrics]
    response = client.get(
        "/v2/summary",
        begin=selection.begin.isoformat(),
        end=selection.end.isoformat(),
        filters=filters or None,
        groupby=[KEYS[key] for key in selection.keys] or None,
        zone=selection.zone,
        response_format="object",
    )
    assert response.status == 200, response.text
    return {
        tuple(_value(row, key) for key in selection.keys): (_text(row["qty"]), _text(row["rate"]))
        for row in response.body["results"]
    }


def _text(number: Decimal | int | None) -> str | None:
    return None if number is None else number_text(Decimal(number))


def _value(row: Mapping[str, Any], key: str) -> Any:
    """Return what the command shows of a key: of times the start of the bucket."""
    begin = datetime.datetime.fromisoformat(row["begin"])
    match key:
        case "scope":
            return row["project_id"]
        case "metric":
            return row["type"]
        case "day":
            assert row["day_of_the_year"] == str(begin.timetuple().tm_yday)
            return f"{begin:%Y-%m-%d}"
        case "week":
            return f"{begin - begin.weekday() * datetime.timedelta(days=1):%Y-%m-%d}"
        case "month":
            assert row["month"] == str(begin.month)
            return f"{begin:%Y-%m}"
        case "year":
            assert row["year"] == str(begin.year)
            return f"{begin:%Y}"
        case _:
            return row[key]


@given(selections)
def test_sums_are_those_of_the_command(client: Client, selection: Selection) -> None:
    expected = run_command(client, selection)
    assert ask_api(client, selection) == expected
    bounds = {"begin": selection.begin.isoformat(), "end": selection.end.isoformat()}
    totals = [
        client.get("/v1/report/total", tenant_id=scope, service=metric, **bounds).body
        for scope in selection.scopes or SCOPES
        for metric in selection.metrics or METRICS
    ]
    assert add_up(map(Decimal, totals)) == add_up(Decimal(price) for _, price in expected.values())
