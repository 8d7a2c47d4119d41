"""Queries over HTTP, and how ratekit reads Gnocchi's responses."""

import contextlib
import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from gnocchiclient import auth
from gnocchiclient import client as gnocchi_client
from keystoneauth1 import session
from oslo_config import cfg

from ratekit import conf as core
from ratekit import errors, plugins
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from tests.stub_server import StubResponse, StubServer

AGGREGATES = "/v1/aggregates"
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
QUERY = AggregateQuery(
    metric="cpu",
    aggregation_method="mean",
    resource_type="instance",
    scope_key="project_id",
    scopes=["p2", "p1"],
    groupby=["id", "revision_end", "revision_start"],
    start=SIX,
    stop=SIX + datetime.timedelta(hours=3),
    granularity=300,
    period=datetime.timedelta(hours=1),
)
#: The response of a proxy in place of Gnocchi.
HTML = b"<html><head><title>502 Bad Gateway</title></head>\n<body>nginx</body></html>"


@pytest.fixture
def gnocchi(server: StubServer) -> StubServer:
    server.responses.clear()
    server.requests.clear()
    return server


@contextlib.contextmanager
def client_of(url: str, seconds: float) -> Iterator[Client]:
    """A client with this timeout."""
    http_session = session.Session(auth=auth.GnocchiBasicPlugin("admin", url), timeout=seconds)
    yield Client(gnocchi_client.SessionClient(http_session, service_type="metric"))
    http_session.session.close()


@pytest.fixture
def client(gnocchi: StubServer) -> Iterator[Client]:
    with client_of(gnocchi.url, 30.0) as client:
        yield client


def error(status: int, description: Any, title: str = "") -> StubResponse:
    """An error as Gnocchi's API writes it."""
    return StubResponse({"code": status, "description": description, "title": title}, status)


def groups_text(*values: str) -> bytes:
    """The body of a response with one group that has these values."""
    buckets = (f'["2026-01-01T06:0{n}:00+00:00", 60.0, {value}]' for n, value in enumerate(values))
    measures = f'{{"measures": {{"aggregated": [{", ".join(buckets)}]}}}}'
    return f'[{{"group": {{"id": "r1"}}, "measures": {measures}}}]'.encode()


# The query ----------------------------------------------------------------------------------


def test_a_query_is_one_request(gnocchi: StubServer, client: Client) -> None:
    gnocchi.respond(AGGREGATES, StubResponse([]))
    assert client.aggregates(QUERY) == []
    [received] = gnocchi.requests
    assert received.method == "POST"
    assert received.query == {
        "groupby": ["id", "revision_end", "revision_start"],
        "use_history": ["true"],
        "start": ["2026-01-01T06:00:00+00:00"],
        "stop": ["2026-01-01T09:00:00+00:00"],
        "granularity": ["300"],
    }
    assert received.body == {
        "operations": ["aggregate", "max", ["metric", "cpu", "mean"]],
        "resource_type": "instance",
        "search": {
            "and": [{"=": {"type": "instance"}}, {"in": {"project_id": ["p1", "p2"]}}],
        },
    }


def test_numbers_keep_the_digits_that_gnocchi_wrote(gnocchi: StubServer, client: Client) -> None:
    gnocchi.respond(AGGREGATES, StubResponse(groups_text("1706.6666666666667", "300", "1e-7")))
    [group] = client.aggregates(QUERY)
    assert group.values == (Decimal("1706.6666666666667"), Decimal(300), Decimal("1e-7"))
    assert {type(number) for number in group.values} == {Decimal}


# No usage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        error(404, "Metric ['cpu'] does not exist", "Not Found"),
        error(400, "Resource type instance does not exist", "Bad Request"),
        error(400, "Resource type does not exist", "Bad Request"),
        StubResponse([]),
    ],
)
def test_an_absent_metric_or_type_means_no_usage(
    gnocchi: StubServer, client: Client, answer: StubResponse
) -> None:
    gnocchi.respond(AGGREGATES, answer)
    assert client.aggregates(QUERY) == []


def test_an_unknown_resource_type_is_none(gnocchi: StubServer, client: Client) -> None:
    gnocchi.respond("/v1/resource_type/vm", error(404, "Resource type vm does not exist"))
    assert client.attributes("vm") is None


def test_a_resource_types_attributes_are_its_own(gnocchi: StubServer, client: Client) -> None:
    gnocchi.respond(
        "/v1/resource_type/instance",
        StubResponse(
            {"name": "instance", "attributes": {"flavor_id": {"type": "string"}}, "state": "x"}
        ),
    )
    assert client.attributes("instance") == frozenset({"flavor_id"})


# Refusals -----------------------------------------------------------------------------------

CANNOT_BE_AGGREGATED = {
    "cause": "Metrics cannot be aggregated",
    "detail": [["cpu", "mean", 300]],
    "reason": "Granularities are missing",
}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            error(400, CANNOT_BE_AGGREGATED, "Bad Request"),
            "Gnocchi refused with 400: Metrics cannot be aggregated: Granularities are missing: "
            "[['cpu', 'mean', 300]]",
        ),
        (
            error(404, {"cause": "Metrics with unknown aggregation", "detail": [["5f", "max"]]}),
            "Gnocchi refused with 404: Metrics with unknown aggregation: [['5f', 'max']]",
        ),
        (
            error(400, "Invalid pagination: `Sort key supplied is invalid: flavor'"),
            "Gnocchi refused with 400: Invalid pagination: `Sort key supplied is invalid: flavor'",
        ),
        (
            error(400, "Resource type instance has no domain_id attribute"),
            "Gnocchi refused with 400: Resource type instance has no domain_id attribute",
        ),
        (error(403, "Forbidden"), "Gnocchi refused with 403: Forbidden"),
        (StubResponse(b"<h1>Not\n Found</h1>", 404), "Gnocchi refused with 404: Not Found"),
        (
            StubResponse({"error": "nothing here"}, 404),
            'refused with 404: {"error": "nothing here"}',
        ),
    ],
)
def test_a_refusal_is_for_an_operator(
    gnocchi: StubServer, client: Client, answer: StubResponse, text: str
) -> None:
    gnocchi.respond(AGGREGATES, answer)
    with pytest.raises(errors.OperatorError) as caught:
        client.aggregates(QUERY)
    assert str(caught.value).endswith(text)


def test_a_refusal_of_a_hundred_pages_is_cut_short(gnocchi: StubServer, client: Client) -> None:
    gnocchi.respond(AGGREGATES, error(400, "no " * 10_000))
    with pytest.raises(errors.OperatorError) as caught:
        client.aggregates(QUERY)
    assert len(str(caught.value)) < 600


# Later --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 413, 414, 429, 500, 502, 503, 504])
def test_an_overloaded_gnocchi_is_asked_again_later(
    gnocchi: StubServer, client: Client, status: int
) -> None:
    gnocchi.respond(AGGREGATES, StubResponse(HTML, status))
    with pytest.raises(errors.TryLater, match=f"Gnocchi answered {status}: .*nginx"):
        client.aggregates(QUERY)


def test_a_response_that_takes_too_long_is_asked_for_again_later(gnocchi: StubServer) -> None:
    gnocchi.respond(AGGREGATES, StubResponse([], delay=5))
    timeout = pytest.raises(errors.TryLater, match="Gnocchi took too long")
    with client_of(gnocchi.url, 0.2) as client, timeout:
        client.aggregates(QUERY)


def test_a_closed_port_is_asked_again_later() -> None:
    plugin = auth.GnocchiBasicPlugin("admin", "http://127.0.0.1:1")
    api = gnocchi_client.SessionClient(session.Session(auth=plugin), service_type="metric")
    with pytest.raises(errors.TryLater, match="Gnocchi does not answer") as caught:
        Client(api).aggregates(QUERY)
    assert "\n" not in str(caught.value)


def test_a_failed_tls_verification_names_the_options_to_check(gnocchi: StubServer) -> None:
    plain_http = gnocchi.url.replace("http://", "https://")
    refusal = pytest.raises(errors.AccessDenied, match="TLS verification failed")
    with client_of(plain_http, 30.0) as client, refusal as caught:
        client.aggregates(QUERY)
    assert "cafile and insecure in [collector_gnocchi]" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        StubResponse(b'[{"group": {"id": "a"'),
        StubResponse(b'[{"group"', missing=100),
        StubResponse(HTML),
        StubResponse(b""),
        StubResponse(b"[[1.5, NaN]]"),
        StubResponse(b"[Infinity]"),
        StubResponse(b"[-Infinity]"),
        StubResponse(b"\xff\xfe"),
        StubResponse(None),
        StubResponse({"measures": []}),
        StubResponse("[]"),
        StubResponse(b"[" * 200_000),
        StubResponse(b'{"a": ' * 200_000),
    ],
    ids=[
        "truncated", "cut off", "html", "empty", "nan", "infinity", "minus infinity",
        "not utf-8", "null", "an object", "a text", "deep lists", "deep objects",
    ],
)  # fmt: skip
def test_a_response_that_cannot_be_parsed_is_not_silence(
    gnocchi: StubServer, client: Client, answer: StubResponse
) -> None:
    """An empty result would mean that nothing was used."""
    gnocchi.respond(AGGREGATES, answer)
    with pytest.raises(errors.TryLater, match="Gnocchi") as caught:
        client.aggregates(QUERY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "number", ["1e99999999", "-1e10000", "1e-99999999", "9" * 1001, "0." + "9" * 1001]
)
def test_a_number_that_is_too_large_is_reported_with_its_resource(
    gnocchi: StubServer, client: Client, number: str
) -> None:
    body = f'[{{"group": {{"id": "r1"}}, "measures": {{"cpu": [1, {number}]}}}}]'
    gnocchi.respond(AGGREGATES, StubResponse(body.encode()))
    with pytest.raises(errors.InvalidResponse) as caught:
        client.aggregates(QUERY)
    assert str(caught.value) == (
        "Gnocchi's response has too large a number: expected at most 1,000 digits and an "
        "exponent of at most 9,999; it is at /{'id': 'r1'}/measures/cpu/1"
    )


def test_numbers_that_no_frame_can_hold_are_still_read(gnocchi: StubServer, client: Client) -> None:
    """The resource that has one is named later; the others are rated."""
    numbers = ["1e300", "-1e-300", "9" * 400, "1e9999"]
    gnocchi.respond(AGGREGATES, StubResponse(groups_text(*numbers)))
    [group] = client.aggregates(QUERY)
    assert group.values == tuple(Decimal(number) for number in numbers)


@pytest.mark.parametrize(
    ("status", "start"), [(400, "Gnocchi refused with 400: "), (503, "Gnocchi answered 503: ")]
)
@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a": ' * 200_000, b"9" * 60_000])
def test_a_hostile_error_response_is_one_line(
    gnocchi: StubServer, client: Client, status: int, start: str, body: bytes
) -> None:
    gnocchi.respond(AGGREGATES, StubResponse(body, status))
    with pytest.raises(errors.RatekitError, match=f"^{start}") as caught:
        client.aggregates(QUERY)
    (line,) = str(caught.value).splitlines()
    assert len(line) < 600


@pytest.mark.parametrize(
    "answer", [StubResponse([]), StubResponse({}), StubResponse({"attributes": None})]
)
def test_a_resource_type_that_cannot_be_parsed_is_an_invalid_response(
    gnocchi: StubServer, client: Client, answer: StubResponse
) -> None:
    gnocchi.respond("/v1/resource_type/vm", answer)
    with pytest.raises(errors.TryLater, match="resource type vm response"):
        client.attributes("vm")


# From the configuration -----------------------------------------------------------------------


def load_conf(**settings: Any) -> Any:
    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    plugins.register_options(conf, GnocchiCollector)
    conf([], project="ratekit", default_config_files=[], default_config_dirs=[])
    for name, value in settings.items():
        conf.set_override(name, value, group="collector_gnocchi")
    return conf


def test_basic_authentication_is_taken_from_the_configuration(gnocchi: StubServer) -> None:
    collector = GnocchiCollector.from_conf(
        load_conf(gnocchi_auth_type="basic", gnocchi_user="rater", gnocchi_endpoint=gnocchi.url)
    )
    assert collector.extra_args is GnocchiArgs
    assert gnocchi.requests == []


@pytest.mark.parametrize(
    ("settings", "waits"),
    [({}, False), ({"max_backlog": 4}, True), ({"max_backlog": 5}, False),
     ({"max_backlog": 4, "max_backlog_wait": 0.0}, False)],
)  # fmt: skip
def test_the_limit_of_the_backlog_is_taken_from_the_configuration(
    gnocchi: StubServer, settings: dict[str, Any], waits: bool
) -> None:
    gnocchi.respond(
        "/v1/status", StubResponse({"storage": {"summary": {"metrics": 1, "measures": 5}}})
    )
    basic = {"gnocchi_auth_type": "basic", "gnocchi_user": "rater"}
    collector = GnocchiCollector.from_conf(
        load_conf(gnocchi_endpoint=gnocchi.url, **basic, **settings)
    )
    assert (collector.not_ready() is not None) == waits
    assert len(gnocchi.requests) == ("max_backlog" in settings)


@pytest.mark.parametrize("option", ["gnocchi_user", "gnocchi_endpoint"])
def test_basic_authentication_needs_a_user_and_an_endpoint(option: str) -> None:
    with pytest.raises(errors.OperatorError, match="requires gnocchi_endpoint and gnocchi_user"):
        GnocchiCollector.from_conf(
            load_conf(gnocchi_auth_type="basic", **{option: "http://127.0.0.1:9"})
        )


def test_a_section_without_authentication_names_the_option() -> None:
    with pytest.raises(errors.OperatorError, match=r"\[collector_gnocchi\] auth_type is not set"):
        GnocchiCollector.from_conf(load_conf())


def test_an_unknown_authentication_is_one_sentence() -> None:
    with pytest.raises(errors.OperatorError, match=r"\[collector_gnocchi\] .*pasword"):
        GnocchiCollector.from_conf(load_conf(auth_type="pasword"))


# Histories ------------------------------------------------------------------------------------

SEARCH = "/v1/search/resource/instance"


def record(
    id_: str, hour: int, project: str, end: int | None = None, ended: int | None = None
) -> dict[str, Any]:
    """A revision as Gnocchi's search returns it; times in hours after six."""

    def text(hours: int | None) -> str | None:
        return None if hours is None else (SIX + datetime.timedelta(hours=hours)).isoformat()

    return {
        "id": id_, "project_id": project, "revision_start": text(hour), "revision_end": text(end),
        "started_at": text(-9), "ended_at": text(ended),
    }  # fmt: skip


def test_a_history_is_by_resource_and_in_order_of_time(gnocchi: StubServer, client: Client) -> None:
    rows = [record("r1", -2, "p9", 1), record("r2", 0, "p1"), record("r1", -5, "p1", -2, -3)]
    gnocchi.respond(SEARCH, StubResponse(rows))
    until = SIX + datetime.timedelta(hours=5)
    history = client.history(QUERY, ["r2", "r1"], until)
    assert [(row.scope, row.start, row.ended_at) for row in history["r1"]] == [
        ("p1", SIX - datetime.timedelta(hours=5), SIX - datetime.timedelta(hours=3)),
        ("p9", SIX - datetime.timedelta(hours=2), None),
    ]
    assert [row.end for row in history["r2"]] == [None]
    [received] = gnocchi.requests
    assert received.query["history"] == ["true"]
    assert received.body["and"] == [
        {"in": {"id": ["r1", "r2"]}},
        {"<": {"revision_start": "2026-01-01T11:00:00+00:00"}},
        {
            "or": [
                {">=": {"revision_end": "2026-01-01T06:00:00+00:00"}},
                {"=": {"revision_end": None}},
            ]
        },
    ]


def test_a_history_goes_on_as_long_as_gnocchi_names_another_page(
    gnocchi: StubServer, client: Client
) -> None:
    """A page is as long as the server likes, and one resource may fill several."""
    link = f'<{gnocchi.url}{SEARCH}?marker=r1@2>; rel="next"'
    gnocchi.respond(
        SEARCH,
        StubResponse([record("r1", 0, "p1", 1)], headers=(("Link", link),)),
        StubResponse([record("r1", 1, "p2")]),
    )
    history = client.history(QUERY, ["r1"], SIX)
    assert [row.scope for row in history["r1"]] == ["p1", "p2"]
    assert gnocchi.requests[1].query["marker"] == ["r1@2"]


@pytest.mark.parametrize(
    "answer", [StubResponse([{"id": "r1"}]), StubResponse([[]]), StubResponse([None])]
)
def test_resources_that_cannot_be_parsed_are_an_invalid_response(
    gnocchi: StubServer, client: Client, answer: StubResponse
) -> None:
    gnocchi.respond(SEARCH, answer)
    with pytest.raises(errors.TryLater, match="cannot parse Gnocchi's resources response"):
        client.history(QUERY, ["r1"], SIX)


def test_a_listing_that_never_goes_on_is_an_invalid_response(
    gnocchi: StubServer, client: Client
) -> None:
    link = (("Link", f'<{gnocchi.url}{SEARCH}?marker=r1@2>; rel="next"'),)
    page = StubResponse([record("r1", 0, "p1", 1)], headers=link)
    gnocchi.respond(SEARCH, page, page, page)
    with pytest.raises(errors.InvalidResponse, match="repeats the last one"):
        client.history(QUERY, ["r1"], SIX)


def test_refused_credentials_have_an_error_of_their_own(
    gnocchi: StubServer, client: Client
) -> None:
    gnocchi.respond(AGGREGATES, error(403, "Forbidden"))
    with pytest.raises(errors.AccessDenied):
        client.aggregates(QUERY)
