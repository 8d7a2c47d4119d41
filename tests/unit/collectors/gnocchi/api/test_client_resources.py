"""Gnocchi's metrics, archive policies and resources, read over HTTP."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from gnocchiclient import auth
from gnocchiclient import client as gnocchi_client
from keystoneauth1 import session

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client, LiveResource, Ownership
from ratekit.collectors.gnocchi.api.transport import AggregateMissing
from tests.stub_server import StubResponse, StubServer

AGGREGATES, METRIC = "/v1/aggregates", "/v1/metric"
SEARCH = "/v1/search/resource/instance"
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
QUERY = AggregateQuery(
    metric="cpu",
    aggregation_method="mean",
    resource_type="instance",
    scope_key="project_id",
    scopes=["p2", "p1"],
    groupby=["id"],
    start=SIX,
    stop=SIX + 3 * HOUR,
    granularity=300,
    period=HOUR,
    resource_ids=["r2", "r1"],
    excluded_ids=["r9"],
)


@pytest.fixture
def gnocchi(server: StubServer) -> StubServer:
    server.responses.clear()
    server.requests.clear()
    return server


@pytest.fixture
def client(gnocchi: StubServer) -> Iterator[Client]:
    http_session = session.Session(auth=auth.GnocchiBasicPlugin("admin", gnocchi.url), timeout=30.0)
    yield Client(gnocchi_client.SessionClient(http_session, service_type="metric"))
    http_session.session.close()


def page(rows: Any, marker: str | None = None) -> StubResponse:
    """A page of a listing, with Gnocchi's link to the next one."""
    link = f'<http://gnocchi/v1/metric?limit=2&marker={marker}&sort=id%3Aasc>; rel="next"'
    return StubResponse(rows, headers=() if marker is None else (("Link", link),))


def row(number: int, policy: str = "low", resource: str | None = "") -> dict[str, Any]:
    resource = f"r{number}" if resource == "" else resource
    return {"id": f"m{number}", "resource_id": resource, "archive_policy": {"name": policy}}


def test_a_query_may_exclude_resources_or_name_them(gnocchi: StubServer, client: Client) -> None:
    gnocchi.respond(AGGREGATES, StubResponse([]))
    client.aggregates(QUERY)
    assert gnocchi.requests[0].body["search"]["and"][2:] == [
        {"in": {"id": ["r1", "r2"]}},
        {"not": {"in": {"id": ["r9"]}}},
    ]


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, {"cause": "Metrics cannot be aggregated", "reason": "Granularities are missing"}),
        (404, {"cause": "Metrics with unknown aggregation", "detail": [["5f", "mean"]]}),
    ],
)
def test_a_refusal_for_an_archive_policy_has_an_error_of_its_own(
    gnocchi: StubServer, client: Client, status: int, cause: Any
) -> None:
    gnocchi.respond(AGGREGATES, StubResponse({"code": status, "description": cause}, status))
    with pytest.raises(AggregateMissing):
        client.aggregates(QUERY)
    gnocchi.respond(AGGREGATES, StubResponse({"code": 400, "description": "Invalid input: x"}, 400))
    with pytest.raises(errors.OperatorError) as caught:
        client.aggregates(QUERY)
    assert not isinstance(caught.value, AggregateMissing)


def test_a_listing_is_read_to_its_end_however_long_gnocchis_pages_are(
    gnocchi: StubServer, client: Client
) -> None:
    gnocchi.respond(METRIC, page([row(1), row(2)], "m2"), page([row(3, "high")], "m3"), page([]))
    assert list(client.metrics("cpu", "low")) == [
        ([("m1", "r1", "low"), ("m2", "r2", "low")], True),
        ([("m3", "r3", "high")], True),
        ([], False),
    ]
    queries = [request.query for request in gnocchi.requests]
    parameters = {"name": ["cpu"], "archive_policy_name": ["low"], "limit": ["1000"]}
    assert queries == [
        parameters, {**parameters, "marker": ["m2"]}, {**parameters, "marker": ["m3"]},
    ]  # fmt: skip


def test_a_metric_without_a_resource_is_ignored(gnocchi: StubServer, client: Client) -> None:
    gnocchi.respond(METRIC, page([row(1), row(2, resource=None)]))
    assert list(client.metrics("cpu")) == [([("m1", "r1", "low")], False)]


def test_a_page_is_read_only_when_it_is_needed(gnocchi: StubServer, client: Client) -> None:
    gnocchi.respond(METRIC, page([row(1)], "m1"))
    assert next(client.metrics("cpu", limit=1)) == ([("m1", "r1", "low")], True)
    assert len(gnocchi.requests) == 1


def test_owners_are_those_of_all_revisions(gnocchi: StubServer, client: Client) -> None:
    rows = [{"id": "r1", "project_id": owner, "ended_at": None} for owner in ("p1", "p2", None)]
    rows.append({"id": "r2", "project_id": "p1", "ended_at": None})
    rows.append({"id": "r2", "project_id": "p1", "ended_at": "2026-01-01T06:00:00+00:00"})
    gnocchi.respond(SEARCH, page(rows))
    ids = [f"r{n}" for n in range(201)]
    assert client.owners("instance", "project_id", ids) == {
        "r1": Ownership(frozenset({"p1", "p2"}), None), "r2": Ownership(frozenset({"p1"}), SIX),
    }  # fmt: skip
    assert [len(request.body["in"]["id"]) for request in gnocchi.requests] == [200, 1]
    assert gnocchi.requests[0].query["history"] == ["true"]
    assert gnocchi.requests[0].query["attrs"] == ["id", "project_id", "ended_at"]
    assert client.owners("instance", "project_id", []) == {}


def test_live_resources_are_those_of_the_query_that_overlap_the_time(
    gnocchi: StubServer, client: Client
) -> None:
    gnocchi.respond(
        SEARCH,
        page([
            {"id": "r1", "revision_start": "2026-01-01T05:00:00+00:00", "metrics": {"cpu": "m1"}},
            {"id": "r2", "revision_start": "2026-01-01T05:00:00+00:00", "metrics": {"disk": "m2"}},
        ]),
    )  # fmt: skip
    assert list(client.live_resources(QUERY, SIX + HOUR)) == [LiveResource("r1", "m1", SIX - HOUR)]
    conditions = gnocchi.requests[0].body["and"]
    assert conditions[:-3] == QUERY.conditions()
    assert conditions[-3] == {"<": {"revision_start": "2026-01-01T07:00:00+00:00"}}
    assert {">=": {"revision_end": "2026-01-01T06:00:00+00:00"}} in conditions[-2]["or"]
    assert {">=": {"ended_at": "2026-01-01T06:00:00+00:00"}} in conditions[-1]["or"]


def test_metrics_are_asked_for_by_id(gnocchi: StubServer, client: Client) -> None:
    begin = "2026-01-01T06:00:00+00:00"
    answer = {
        "measures": {
            "m1": {"mean": [["2026-01-01T05:55:00+00:00", 300, 1.5], [begin, 300, 2.5]]},
            "m2": {"mean": []},
        },
        "references": [row(1), row(2, "high")],
    }
    gnocchi.respond(AGGREGATES, StubResponse(answer))
    assert client.newest(["m2", "m1"], QUERY, SIX) == {"m1": SIX}
    assert client.policies_of(["m2", "m1"], QUERY, SIX) == {"m1": "low", "m2": "high"}
    for request in gnocchi.requests:
        assert request.body == {"operations": ["metric", ["m1", "mean"], ["m2", "mean"]]}
        assert (request.query["start"], request.query["granularity"]) == ([begin], ["300"])
    assert gnocchi.requests[1].query["details"] == ["true"]


def test_a_metric_that_has_just_been_deleted_is_asked_for_again_later(
    gnocchi: StubServer, client: Client
) -> None:
    cause = {"cause": "Unknown metrics", "reason": "Provided metrics don't exists"}
    gnocchi.respond(AGGREGATES, StubResponse({"code": 404, "description": cause}, 404))
    with pytest.raises(errors.TryLater, match="changed meanwhile"):
        client.newest(["m1"], QUERY, SIX)


def test_the_backlog_is_the_number_of_measures(gnocchi: StubServer, client: Client) -> None:
    summary = {"storage": {"summary": {"metrics": 3, "measures": 12}}, "metricd": {}}
    gnocchi.respond("/v1/status", StubResponse(summary))
    assert client.backlog() == 12
    assert gnocchi.requests[0].query == {"details": ["false"]}


def test_resources_are_counted_over_all_pages(gnocchi: StubServer, client: Client) -> None:
    gnocchi.respond(SEARCH, page([{"id": "r1"}] * 2, "r1"), page([{"id": "r2"}]))
    assert client.count("instance", {"=": {"started_at": None}}) == 3
    assert gnocchi.requests[1].body == {"=": {"started_at": None}}


@pytest.mark.parametrize(
    "answer", [StubResponse({}), StubResponse([{}]), StubResponse([[]]), StubResponse(["x"])]
)
def test_a_listing_that_cannot_be_parsed_is_an_invalid_response(
    gnocchi: StubServer, client: Client, answer: StubResponse
) -> None:
    for path in (METRIC, SEARCH, "/v1/archive_policy", "/v1/status"):
        gnocchi.respond(path, answer)
    with pytest.raises(errors.InvalidResponse, match="cannot parse Gnocchi's"):
        list(client.metrics("cpu"))
    with pytest.raises(errors.InvalidResponse, match="cannot parse Gnocchi's"):
        client.owners("instance", "project_id", ["r1"])
    with pytest.raises(errors.InvalidResponse, match="cannot parse Gnocchi's"):
        list(client.live_resources(QUERY, SIX))
    with pytest.raises(errors.InvalidResponse, match="cannot parse Gnocchi's"):
        client.archive_policies()
    with pytest.raises(errors.InvalidResponse, match="cannot parse Gnocchi's"):
        client.backlog()


def test_a_next_page_without_a_marker_is_an_invalid_response(
    gnocchi: StubServer, client: Client
) -> None:
    link = '<http://gnocchi/v1/metric?limit=2>; rel="next"'
    gnocchi.respond(METRIC, StubResponse([row(1)], headers=(("Link", link),)))
    with pytest.raises(errors.TryLater, match="no marker"):
        list(client.metrics("cpu"))
