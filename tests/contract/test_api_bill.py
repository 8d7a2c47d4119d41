"""Bills over the API on every database: whose they are, and what they select."""

from __future__ import annotations

import pathlib
from decimal import Decimal

import pytest

from tests.api_client import Client
from tests.contract.conftest import Open
from tests.contract.given import batch, build_series, list_scopes, window

#: IDs that some databases take for one another.
PROJECTS = {"abc": "1", "ABC": "20", "abc ": "300", "Abc'": "4000", "äbc": "50000"}
MARCH = {"begin": "2026-03-01", "end": "2026-04-01"}


@pytest.fixture
def client(url: str, open_another: Open, tmp_path: pathlib.Path) -> Client:
    """An API over two hours of usage of each project."""
    storage = open_another()
    series = [
        build_series(project, [(price, price)] * 2, labels={"id": f"of {project}"})
        for project, price in PROJECTS.items()
    ]
    storage.ledger.commit(batch(list_scopes(storage, *PROJECTS), *series, periods=window(2)))
    return Client(tmp_path, url)


@pytest.mark.parametrize("project", ["abc", "ABC", "Abc'"])
def test_a_project_is_charged_what_it_used_itself(client: Client, project: str) -> None:
    price = 2 * Decimal(PROJECTS[project])
    for query in ({}, {"filters": f"project_id:{project}"}):
        summary = client.get_as(project, "/v2/summary", groupby="id", **query, **MARCH).body
        assert [row[2:] for row in summary["results"]] == [[price, price, f"of {project}"]]
    assert client.get_as(project, "/v1/report/total", **MARCH).body == f"{price}"
    assert client.get_as(project, "/v2/dataframes", **MARCH).body["total"] == 2
    frames = client.get_as(project, "/v1/storage/dataframes", **MARCH).body["dataframes"]
    assert {frame["tenant_id"] for frame in frames} == {project}


def test_a_project_does_not_see_one_of_a_similar_name(client: Client) -> None:
    for other in ("ABC", "Abc'", "äbc"):
        query = {"filters": f"project_id:{other}", **MARCH}
        assert client.get_as("abc", "/v2/summary", **query).body["total"] == 0, other
        assert client.get_as("abc", "/v2/dataframes", **query).status == 404, other
    for other in PROJECTS.keys() - {"abc"}:
        response = client.get_as("abc", "/v1/report/total", tenant_id=other, **MARCH)
        assert response.status == 403, other


def test_an_administrator_sees_each_alone(client: Client) -> None:
    for project, price in PROJECTS.items():
        total = client.get("/v1/report/total", tenant_id=project, **MARCH).body
        assert total == f"{2 * Decimal(price)}", project
    assert set(client.get("/v1/report/tenants", **MARCH).body) == set(PROJECTS)


def test_filters_and_pages(client: Client) -> None:
    groups = {"groupby": "project_id,time", **MARCH}
    whole = client.get("/v2/summary", **groups).body
    assert whole["total"] == 10
    pages = [
        client.get("/v2/summary", limit=3, offset=offset, **groups).body
        for offset in range(0, 12, 3)
    ]
    assert [row for page in pages for row in page["results"]] == whole["results"]
    assert {page["total"] for page in pages} == {10}
    one = client.get("/v2/summary", filters="id:of ABC,id:of Abc',type:instance", **MARCH).body
    assert [row[3] for row in one["results"]] == [Decimal(8040)]
    assert client.get("/v2/summary", filters="id:OF abc", **MARCH).body["total"] == 0


def test_a_wrong_text_selects_nothing_on_any_database(client: Client) -> None:
    texts = ["a\\b", "%", "' OR ''='", "x" * 400, "\ufeff", "a\0b"]
    for text in texts:
        for key in ("project_id", "type", "id"):
            response = client.get("/v2/summary", filters=f"{key}:{text}", **MARCH)
            assert (response.status, response.body["total"]) == (200, 0), (key, text)
