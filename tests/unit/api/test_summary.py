"""``/v2/summary``: a tenant's bill, as Horizon and the command line read it."""

from __future__ import annotations

import csv
import datetime
import io
import pathlib
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ratekit.domain.period import Window
from tests.api_client import Client
from tests.contract.given import HOUR, batch, build_series, hour, list_scopes, window

MARCH = {"begin": "2026-03-01T00:00:00", "end": "2026-04-01T00:00:00"}
UTC_MARCH = ("2026-03-01T00:00:00+00:00", "2026-04-01T00:00:00+00:00")
TINY = "0.0000000000000000000000000001"


@pytest.fixture
def usage(client: Client) -> Client:
    """Three hours of two projects: instances in both, a volume in the first."""
    storage = client.parts.storage
    storage.ledger.commit(
        batch(
            list_scopes(storage, "a1", "b2"),
            build_series("a1", [("1", "0.1"), ("1", "0.2")], labels={"id": "i1"}),
            build_series("a1", [("1", TINY)], labels={"id": "i2"}, metadata={"flavor": "=cmd()"}),
            build_series("a1", [("40", "0.5")] * 3, metric="volume", unit="GiB"),
            build_series("b2", [("2", "7")], labels={"id": "i3"}),
            periods=window(3),
        )
    )
    return client


def objects(client: Client, **query: object) -> Any:
    """Return the rows of a member's summary as objects."""
    response = client.get_as("a1", "/v2/summary", response_format="object", **{**MARCH, **query})
    assert response.status == 200, response.text
    assert response.body["format"] == "object"
    assert "columns" not in response.body
    assert response.body["total"] == len(response.body["results"])
    return response.body["results"]


def rates(client: Client, **query: object) -> list[Decimal]:
    return [row["rate"] for row in objects(client, **query)]


class TestTable:
    def test_the_sum_has_all_digits_as_a_json_number(self, usage: Client) -> None:
        response = usage.get_as("a1", "/v2/summary", **MARCH)
        assert response.status == 200
        assert response.body == {
            "total": 1,
            "columns": ["begin", "end", "qty", "rate"],
            "results": [[*UTC_MARCH, None, Decimal(f"1.8{TINY[3:]}")]],
            "format": "table",
            "rated_until": "2026-03-01T03:00:00+00:00",
        }
        assert f"1.8{TINY[3:]}" in response.text

    def test_groups_are_columns_in_the_order_of_the_request(self, usage: Client) -> None:
        body = usage.get_as("a1", "/v2/summary", groupby="type,project_id", **MARCH).body
        assert body["columns"] == ["begin", "end", "qty", "rate", "type", "project_id"]
        assert [row[2:] for row in body["results"]] == [
            [Decimal(3), Decimal("0.3") + Decimal(TINY), "instance", "a1"],
            [Decimal(120), Decimal("1.5"), "volume", "a1"],
        ]
        repeated = usage.get_as("a1", "/v2/summary", groupby=["type", "project_id"], **MARCH)
        assert repeated.body == body

    def test_nothing_matches_is_no_error(self, usage: Client) -> None:
        body = usage.get_as("a1", "/v2/summary", filters="type:nothing", **MARCH).body
        assert (body["total"], body["results"]) == (0, [])
        assert body["columns"] == ["begin", "end", "qty", "rate"]

    @pytest.mark.parametrize("groupby", [None, "id", "time"])
    def test_sums_and_their_end_are_of_one_instant(
        self, usage: Client, groupby: str | None
    ) -> None:
        """A processor commits an hour of 100 while the summary is read."""
        storage = usage.parts.storage
        (state,) = list_scopes(storage, "a1")
        late = build_series("a1", [("1", "100")], begin=hour(3))
        work = batch([state], late, periods=window(1, hour(3)))

        works = [work]

        def commit(*arguments: Any) -> None:
            sources = ("FROM totals", "FROM daily_totals", "FROM frames")
            if works and any(source in arguments[2] for source in sources):
                storage.ledger.commit(works.pop())

        sa.event.listen(sa.Engine, "after_cursor_execute", commit)
        try:
            body = usage.get_as("a1", "/v2/summary", groupby=groupby, **MARCH).body
        finally:
            sa.event.remove(sa.Engine, "after_cursor_execute", commit)
        assert not works
        rate = sum(row[body["columns"].index("rate")] for row in body["results"])
        ends = {"2026-03-01T03:00:00+00:00": 1, "2026-03-01T04:00:00+00:00": 101}
        assert int(rate) == ends[body["rated_until"]]
        later = usage.get_as("a1", "/v2/summary", **MARCH).body
        assert later["rated_until"] == "2026-03-01T04:00:00+00:00"


class TestRange:
    def test_default_is_this_month_in_utc(self, usage: Client) -> None:
        response = usage.get_as("a1", "/v2/summary", response_format="object")
        assert [(row["begin"], row["end"]) for row in response.body["results"]] == [UTC_MARCH]

    @pytest.mark.parametrize(
        ("begin", "end", "rate"),
        [
            ("2026-03-01 00:00:00+00:00", "2026-03-01T23:59:59", "1.8"),
            ("2026-03-01T00:00:00+00:00", "2026-03-01T01:30:00.123456+00:00", "1.3"),
            ("2026-03-01T02:00:00+01:00", "2026-04-01", "1.2"),
            ("20260301T010000Z", "20260301T015959Z", "0.7"),
        ],
    )
    def test_ends_may_be_inside_a_period(
        self, usage: Client, begin: str, end: str, rate: str
    ) -> None:
        prices = rates(usage, begin=begin, end=end)
        assert [str(price.quantize(Decimal("0.1"))) for price in prices] == [rate]

    @pytest.mark.parametrize("end", ["2026-03-01T00:00:00", "2025-01-01"])
    def test_an_end_before_the_begin_is_refused(self, client: Client, end: str) -> None:
        response = client.get("/v2/summary", begin="2026-03-01", end=end)
        assert response.status == 400
        assert "2026-03-01T00:00:00Z is not before end" in response.body["message"]

    def test_a_longer_range_than_the_option_allows_is_refused(self, client: Client) -> None:
        for path in ("/v2/summary", "/v2/dataframes", "/v1/report/total", "/v1/storage/dataframes"):
            response = client.get(path, begin="2025-01-01", end="2026-03-01")
            assert response.status == 400
            assert "at most 400 days ([api] max_range)" in response.text


class TestGroups:
    def test_horizon_groups_by_the_resource_id(self, usage: Client) -> None:
        rows = objects(usage, groupby="type,resource_id")
        assert [(row["type"], row["resource_id"], row["rate"]) for row in rows] == [
            ("instance", "i1", Decimal("0.3")),
            ("instance", "i2", Decimal(TINY)),
            ("volume", None, Decimal("1.5")),
        ]
        both = objects(usage, groupby="id,resource_id", filters="resource_id:i2")
        assert [(row["id"], row["resource_id"]) for row in both] == [("i2", "i2")]

    def test_a_label_of_that_name_is_no_alias(self, usage: Client, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "metrics.yml"
        path.write_text("metrics: {m: {unit: u, groupby: [resource_id]}}", encoding="utf-8")
        usage.conf.set_override("metrics_conf", str(path), "collect")
        assert [row["resource_id"] for row in objects(usage, groupby="resource_id")] == [None]

    def test_an_unknown_label_is_null(self, usage: Client) -> None:
        rows = objects(usage, groupby="nothing")
        assert [row["nothing"] for row in rows] == [None]

    def test_a_quantity_of_several_units_is_null(self, usage: Client) -> None:
        assert [row["qty"] for row in objects(usage)] == [None]
        assert [row["qty"] for row in objects(usage, filters="type:volume")] == [Decimal(120)]

    def test_each_period_has_its_own_begin_and_end(self, usage: Client) -> None:
        rows = objects(usage, groupby="time", filters="type:instance,id:i1")
        assert [(row["begin"][11:19], row["end"][11:19], row["rate"]) for row in rows] == [
            ("00:00:00", "01:00:00", Decimal("0.1")),
            ("01:00:00", "02:00:00", Decimal("0.2")),
        ]
        assert set(rows[0]) == {"begin", "end", "qty", "rate"}

    @pytest.mark.parametrize(
        ("word", "column", "values", "begins"),
        [
            ("time-h", "hour", ["23", "0"], ["2025-12-31T23", "2026-01-01T00"]),
            ("time-d", "day_of_the_year", ["365", "1"], ["2025-12-31T00", "2026-01-01T00"]),
            ("time-w", "week_of_the_year", ["52"], ["2025-12-29T00"]),
            ("time-m", "month", ["12", "1"], ["2025-12-01T12", "2026-01-01T00"]),
            ("time-y", "year", ["2025", "2026"], ["2025-12-01T12", "2026-01-01T00"]),
        ],
    )
    def test_the_calendar_never_adds_up_two_years(
        self, client: Client, word: str, column: str, values: list[str], begins: list[str]
    ) -> None:
        begin = datetime.datetime(2025, 12, 31, 23, tzinfo=datetime.UTC)
        storage = client.parts.storage
        storage.ledger.commit(
            batch(
                list_scopes(storage, "a1", start=begin, resume=begin, now=begin),
                build_series("a1", [("1", "1"), ("1", "2")], begin=begin),
                periods=Window(begin, HOUR, 2),
            )
        )
        rows = objects(client, groupby=word, begin="2025-12-01T12:00:00", end="2026-01-20")
        assert [row[column] for row in rows] == values
        assert [row["begin"][:13] for row in rows] == begins
        assert [later["begin"] for later in rows[1:]] == [row["end"] for row in rows[:-1]]
        assert rows[-1]["end"] <= "2026-01-20T00:00:00+00:00"
        assert sum(row["rate"] for row in rows) == 3

    def test_other_times_are_refused(self, client: Client) -> None:
        response = client.get("/v2/summary", groupby="time-x")
        assert response.status == 400
        assert "expected time, time-h" in response.body["message"]

    def test_too_many_groups_are_refused(self, client: Client) -> None:
        response = client.get("/v2/summary", groupby=",".join(f"l{n}" for n in range(50)))
        assert response.status == 400
        assert "at most 10 words ([api] max_groupby), not 50" in response.body["message"]

    def test_two_columns_of_one_name_are_refused(self, client: Client) -> None:
        assert client.get("/v2/summary", groupby="rate").status == 400
        fields = "SUM(price) AS x, SUM(qty) AS x"
        assert client.get("/v2/summary", custom_fields=fields).status == 400


class TestFilters:
    def test_several_values_of_a_name(self, usage: Client) -> None:
        assert rates(usage, filters="id:i1,id:i2") == [Decimal("0.3") + Decimal(TINY)]
        assert rates(usage, filters=["id:i1", "type:instance"]) == [Decimal("0.3")]
        assert rates(usage, filters=["type:instance", "type:volume", "id:i1"]) == [Decimal("0.3")]
        assert rates(usage, filters=["type:instance", "metric:volume"]) == []

    def test_no_values_select_nothing(self, usage: Client) -> None:
        for name in ("type", "project_id", "id"):
            body = {"filters": {name: []}, **MARCH}
            response = usage.send("GET", "/v2/summary", body)
            assert response.body["total"] == 0, name

    def test_a_member_gets_what_is_left_of_the_projects_he_names(self, usage: Client) -> None:
        assert rates(usage, filters="project_id:b2") == []
        assert rates(usage, filters="project_id:b2,project_id:a1", groupby="project_id") == rates(
            usage
        )

    def test_so_many_filters_are_refused(self, usage: Client) -> None:
        names = {f"l{number}": "x" for number in range(21)}
        values = {"id": [f"i{number}" for number in range(1001)]}
        for path in ("/v2/summary", "/v2/dataframes"):
            for filters, text in (
                (names, "filters: expected at most 20 names, not 21"),
                (values, "filters: expected at most 1,000 values, not 1,001"),
            ):
                response = usage.send("GET", path, {"filters": filters, **MARCH})
                assert response.status == 400
                assert response.body["message"] == text
            words = [f"{name}:x" for name in names]
            assert usage.get(path, filters=words, **MARCH).status == 400
        del names["l20"], values["id"][-1]
        for largest in (names, values):
            response = usage.send("GET", "/v2/summary", {"filters": largest, **MARCH})
            assert response.status == 200


class TestPages:
    def test_pages_and_their_total(self, usage: Client) -> None:
        query = {"groupby": "id", **MARCH}
        pages = [
            usage.get_as("a1", "/v2/summary", limit=2, offset=offset, **query).body
            for offset in (0, 2, 4)
        ]
        assert [page["total"] for page in pages] == [3, 3, 3]
        rows = [row for page in pages for row in page["results"]]
        assert [len(page["results"]) for page in pages] == [2, 1, 0]
        assert rows == usage.get_as("a1", "/v2/summary", **query).body["results"]

    def test_more_groups_than_the_option_allows_are_refused_without_a_limit(
        self, client: Client
    ) -> None:
        storage = client.parts.storage
        ids = [f"p{number}" for number in range(101)]
        series = [build_series(id_, [("1", "1")]) for id_ in ids]
        storage.ledger.commit(batch(list_scopes(storage, *ids), *series))
        client = client.with_limits(rows=100)
        query = {"groupby": "project_id", **MARCH}
        response = client.get("/v2/summary", **query)
        assert response.status == 400
        assert "more than 100 groups ([api] max_rows)" in response.body["message"]
        assert client.get("/v2/summary", limit=101, **query).status == 400
        page = client.get("/v2/summary", limit=100, **query).body
        assert (page["total"], len(page["results"])) == (101, 100)
        assert client.get("/v1/report/summary", groupby="tenant_id", **MARCH).status == 400
        total = client.get("/v1/report/total", all_tenants=True, **MARCH)
        assert total.body == "101"

    def test_more_groups_by_labels_than_the_option_allows_are_refused_on_any_page(
        self, client: Client
    ) -> None:
        storage = client.parts.storage
        series = [build_series("a1", [("1", "1")], labels={"id": f"i{n}"}) for n in range(101)]
        storage.ledger.commit(batch(list_scopes(storage, "a1"), *series))
        client = client.with_limits(rows=100)
        for pages in ({}, {"limit": 1}, {"limit": 1, "offset": 50}):
            response = client.get("/v2/summary", groupby="time,id", **MARCH, **pages)
            assert response.status == 400
            assert response.body["message"] == (
                "the summary has more than 100 groups by labels ([api] max_rows); choose a shorter "
                "time range, fewer words in groupby, or more filters"
            )
        page = client.with_limits(rows=101).get("/v2/summary", groupby="id", limit=1, **MARCH).body
        assert (page["total"], len(page["results"])) == (101, 1)


class TestCustomFields:
    def test_exact_sums_under_names_of_the_request(self, usage: Client) -> None:
        fields = "SUM(qty) AS amount,count(QTY) as points, sum(price) AS cost"
        rows = objects(usage, custom_fields=fields, groupby="type")
        assert [set(row) for row in rows] == [
            {"begin", "end", "type", "amount", "points", "cost"}
        ] * 2
        assert [(row["amount"], row["points"], row["cost"]) for row in rows] == [
            (3, 3, Decimal("0.3") + Decimal(TINY)),
            (120, 3, Decimal("1.5")),
        ]

    @pytest.mark.parametrize(
        "fields",
        ["*", "SUM(*) AS x", "AVG(price) AS x", "SUM(price)", 'SUM(price) AS x FROM "y"', ",", ";"],
    )
    def test_what_cannot_be_summed_exactly_is_refused(self, client: Client, fields: str) -> None:
        response = client.get("/v2/summary", custom_fields=fields)
        assert response.status == 400
        assert "custom_fields: expected SUM(qty)" in response.body["message"]


class TestCsv:
    @pytest.mark.parametrize("by_header", [True, False])
    def test_a_bill_for_a_spreadsheet(self, usage: Client, by_header: bool) -> None:
        headers = {"X-Test-Project": "a1"} | ({"Accept": "text/csv"} if by_header else {})
        response = usage.send(
            "GET", "/v2/summary", None, headers, groupby="flavor",
            response_format=None if by_header else "csv", **MARCH,
        )  # fmt: skip
        assert response.status == 200
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        assert (
            'filename="summary-2026-03-01-2026-04-01.csv"'
            in (response.headers["content-disposition"])
        )
        rows = list(csv.DictReader(io.StringIO(response.text)))
        assert [list(row.values())[2:] for row in rows] == [
            ["", "5", "", "", "1.8"],
            ["'=cmd()", "1", "1", "instance", TINY],
        ]
        assert list(rows[0]) == ["begin", "end", "flavor", "frames", "qty", "unit", "rate"]

    def test_another_accept_header_changes_nothing(self, client: Client) -> None:
        for accept in ("*/*", "application/json", "text/html", "text/csv;q=0.1, */*"):
            response = client.send("GET", "/v2/summary", None, {"Accept": accept})
            assert response.headers["content-type"] == "application/json", accept

    def test_the_format_is_one_of_three(self, client: Client) -> None:
        response = client.get("/v2/summary", response_format="xml")
        assert response.status == 400
        assert "response_format" in response.body["message"]


def test_purged_usage_is_told(usage: Client) -> None:
    usage.parts.storage.purge.start(
        datetime.datetime(2026, 3, 1, 1, tzinfo=datetime.UTC), totals=False
    )
    plain = usage.get_as("a1", "/v2/summary", groupby="type", **MARCH)
    assert "note" not in plain.body
    assert "warning" not in plain.headers
    for query in ({"groupby": "id"}, {"filters": "id:i1"}):
        response = usage.get_as("a1", "/v2/summary", **query, **MARCH)
        assert "2026-03-01T01:00:00Z was purged" in response.body["note"]
        assert "was purged" in response.headers["warning"]
