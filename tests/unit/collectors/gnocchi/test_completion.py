"""What completes a response is checked as the response itself."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from gnocchiclient import auth
from gnocchiclient import client as gnocchi_client
from keystoneauth1 import session

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.completion import Completion, Knowledge
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.domain.period import Window
from tests.stub_server import StubResponse, StubServer

SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
QUERY = AggregateQuery(
    metric="cpu",
    aggregation_method="mean",
    resource_type="instance",
    scope_key="project_id",
    scopes=["p1"],
    groupby=["id", "project_id", "revision_start", "revision_end"],
    start=SIX,
    stop=SIX + 2 * HOUR,
    granularity=3600,
    period=HOUR,
)


@pytest.fixture
def completion(server: StubServer) -> Iterator[Completion]:
    http_session = session.Session(auth=auth.GnocchiBasicPlugin("admin", server.url), timeout=30.0)
    yield Completion(Client(gnocchi_client.SessionClient(http_session, service_type="metric")))
    http_session.session.close()


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        ({"revision_start": "2026-01-01T09:00:00+00:00"}, "missing key 'id'"),
        ({"id": "r1"}, "missing key 'revision_start'"),
        ({"id": "r1", "revision_start": None}, ""),
        ("r1", ""),
    ],
)
def test_a_late_record_that_cannot_be_parsed_is_an_invalid_response(
    server: StubServer, completion: Completion, group: Any, reason: str
) -> None:
    server.respond("/v1/search/resource/instance", StubResponse([group]))
    response = AggregateResponse([], ["project_id"], QUERY)
    knowledge = Knowledge(SIX + 10 * HOUR, None, Window(SIX, HOUR, 2))
    expected = f"cannot parse Gnocchi's resources response: {reason}"
    with pytest.raises(errors.InvalidResponse, match=expected):
        completion.complete(response, knowledge)
