"""``/v1/report``: sums of what was charged, as clients of version 1 read them."""

from __future__ import annotations

import pytest

from tests.api_client import Client
from tests.contract.given import batch, build_series, list_scopes, window

MARCH = {"begin": "2026-03-01 00:00:00", "end": "2026-04-01"}
BOUNDS = {"begin": "2026-03-01T00:00:00", "end": "2026-04-01T00:00:00"}
TINY = "0.0000000000000000000000000001"
ADMIN_OF_A1 = {"X-Project-Id": "a1"}


@pytest.fixture
def usage(client: Client) -> Client:
    """Two hours of two projects; the first has a volume, too."""
    storage = client.parts.storage
    storage.ledger.commit(
        batch(
            list_scopes(storage, "a1", "b2", "c3"),
            build_series("a1", [("1", "0.1"), ("1", TINY)]),
            build_series("a1", [("40", "0.5")], metric="volume", unit="GiB"),
            build_series("b2", [("2", "7"), ("2", "7")]),
            periods=window(2),
        )
    )
    return client


def entry(tenant: str, metric: str, rate: str) -> dict[str, str]:
    return {**BOUNDS, "tenant_id": tenant, "res_type": metric, "rate": rate}


class TestSummary:
    def test_a_member_gets_one_exact_sum_of_his_project(self, usage: Client) -> None:
        response = usage.get_as("a1", "/v1/report/summary/", **MARCH)
        assert response.status == 200
        assert response.body == {"summary": [entry("a1", "ALL", f"0.6{TINY[3:]}")]}

    @pytest.mark.parametrize("tenant", ["b2", "nobody", "a1'--"])
    def test_a_member_gets_no_other_project(self, usage: Client, tenant: str) -> None:
        for path in ("/v1/report/summary", "/v1/report/total", "/v1/storage/dataframes"):
            key = {"tenant_id": tenant}
            assert usage.get_as("a1", path, **key, **MARCH).status == 403, path
        for path in ("/v1/report/summary", "/v1/report/total"):
            assert usage.get_as("a1", path, all_tenants="True", **MARCH).status == 403, path
        assert usage.get_as("a1", "/v1/report/tenants", **MARCH).status == 403

    def test_an_administrator_gets_all_projects_by_metric(self, usage: Client) -> None:
        query = {"all_tenants": "True", "groupby": "tenant_id,res_type", **MARCH}
        body = usage.send("GET", "/v1/report/summary", None, ADMIN_OF_A1, **query).body
        # The smallest first, as CloudKitty's own tests expect.
        assert body["summary"] == [
            entry("a1", "instance", f"0.1{TINY[3:]}"),
            entry("a1", "volume", "0.5"),
            entry("b2", "instance", "14"),
        ]

    def test_an_administrator_gets_his_project_unless_he_names_another(self, usage: Client) -> None:
        def tenants(**query: object) -> list[str]:
            response = usage.send("GET", "/v1/report/summary", None, ADMIN_OF_A1, **query, **MARCH)
            return [row["tenant_id"] for row in response.body["summary"]]

        assert tenants() == ["a1"]
        assert tenants(tenant_id="b2") == ["b2"]
        assert tenants(all_tenants=True) == ["ALL"]

    def test_a_service_is_named_in_the_answer(self, usage: Client) -> None:
        body = usage.get_as("a1", "/v1/report/summary", service="volume", **MARCH).body
        assert body == {"summary": [entry("a1", "volume", "0.5")]}

    def test_nothing_charged_is_an_empty_list(self, usage: Client) -> None:
        assert usage.get_as("c3", "/v1/report/summary", **MARCH).body == {"summary": []}
        # Version 1 never refused an end before the begin.
        reverse = {"begin": MARCH["end"], "end": MARCH["begin"]}
        assert usage.get_as("a1", "/v1/report/summary", **reverse).body == {"summary": []}

    def test_other_groups_are_refused(self, client: Client) -> None:
        response = client.get("/v1/report/summary", groupby="tenant_id,project")
        assert response.status == 400
        assert "expected tenant_id or res_type" in response.body["faultstring"]


class TestTotal:
    def test_it_is_text_with_all_digits(self, usage: Client) -> None:
        response = usage.get_as("a1", "/v1/report/total", **MARCH)
        assert (response.status, response.body) == (200, f"0.6{TINY[3:]}")
        assert (
            usage.get("/v1/report/total", tenant_id="b2", service="instance", **MARCH).body == "14"
        )

    def test_nothing_charged_is_zero(self, usage: Client) -> None:
        assert usage.get_as("c3", "/v1/report/total").body == "0"
        assert (
            usage.get_as("a1", "/v1/report/total", begin="2026-04-01", end="2026-03-01").body == "0"
        )

    def test_default_is_this_month(self, usage: Client) -> None:
        assert usage.get("/v1/report/total", all_tenants="true").body.startswith("14.6")
        assert usage.get("/v1/report/total", end="2026-02-28").body == "0"


class TestTenants:
    def test_those_with_usage_in_the_range(self, usage: Client) -> None:
        assert usage.get("/v1/report/tenants").body == ["a1", "b2"]
        late = usage.get("/v1/report/tenants", begin="2026-03-01T02:00:00")
        assert (late.status, late.body) == (200, [])


def test_without_authentication_a_request_without_project_is_about_all(usage: Client) -> None:
    assert usage.get("/v1/report/total", **MARCH).body == f"14.6{TINY[3:]}"


def test_a_token_without_project_sees_nothing(usage: Client) -> None:
    for path in ("/v1/report/summary", "/v1/report/total", "/v2/summary", "/v2/dataframes"):
        for query in ({}, {"all_tenants": "true"} if path.startswith("/v1") else {}):
            assert usage.get_as("", path, **query, **MARCH).status == 403, path
