"""``/v1/storage/dataframes`` and ``/v2/dataframes``: rated usage."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import waitress
from falcon import testing

from ratekit import errors
from ratekit.api import application, routes
from ratekit.api.streams import Streams
from ratekit.cmd import http_server
from ratekit.domain.reporting.reports import EVERYTHING, FrameRow, Page, Selection
from ratekit.interfaces import Reports, Storage
from tests.api_client import PROJECT, Client, identify
from tests.contract.given import batch, build_series, hour, list_scopes, window

MARCH = {"begin": "2026-03-01", "end": "2026-04-01"}
TINY = "0.0000000000000000000000000001"


@pytest.fixture
def usage(client: Client) -> Client:
    """Two hours of two projects; the first has a volume, too."""
    storage = client.parts.storage
    storage.ledger.commit(
        batch(
            list_scopes(storage, "a1", "b2"),
            build_series(
                "a1", [("1", "0.1"), ("1", TINY)], labels={"id": "i1"}, metadata={"flavor": None}
            ),
            build_series("a1", [("40.5", "0.5")], metric="volume", unit="GiB"),
            build_series("b2", [("2", "7"), ("2", "7")], labels={"id": "i2"}),
            periods=window(2),
        )
    )
    return client


class TestVersion1:
    def test_each_frame_has_one_resource_with_all_labels(self, usage: Client) -> None:
        response = usage.get_as("a1", "/v1/storage/dataframes/", **MARCH)
        assert response.status == 200
        assert response.headers["content-type"] == "application/json"
        first, *others = response.body["dataframes"]
        assert first == {
            "begin": "2026-03-01T00:00:00",
            "end": "2026-03-01T01:00:00",
            "tenant_id": "a1",
            "resources": [
                {
                    "service": "instance",
                    "volume": "1",
                    "rating": "0.1",
                    "desc": {"flavor": None, "id": "i1", "project_id": "a1"},
                }
            ],
        }
        assert [(frame["begin"][11:13], frame["resources"][0]["rating"]) for frame in others] == [
            ("00", "0.5"),
            ("01", TINY),
        ]

    def test_filters(self, usage: Client) -> None:
        def count(**query: object) -> int:
            return len(usage.get("/v1/storage/dataframes", **query).body["dataframes"])

        assert count() == 5
        assert count(tenant_id="b2") == 2
        assert count(tenant_id="a1", resource_type="volume") == 1
        assert count(tenant_id="nobody") == 0
        assert count(begin="2026-03-01T01:00:00") == 2
        assert count(begin="2026-04-01", end="2026-03-01") == 0

    def test_a_head_request_has_no_body(self, usage: Client) -> None:
        response = usage.send("HEAD", "/v1/storage/dataframes")
        assert (response.status, response.text) == (200, "")

    def test_an_error_before_the_first_frame_is_an_answer(self, usage: Client) -> None:
        client = usage.with_reports(Failing(usage.parts.storage.reports, after=0))
        response = client.get("/v1/storage/dataframes")
        assert response.status == 503
        assert response.body["faultstring"] == "the database does not answer; try again later"


class TestVersion2:
    def test_points_by_period_and_metric(self, usage: Client) -> None:
        response = usage.get_as("a1", "/v2/dataframes", **MARCH)
        assert response.status == 200
        assert response.body["total"] == 3
        first, second = response.body["dataframes"]
        assert first["period"] == {
            "begin": "2026-03-01T00:00:00+00:00",
            "end": "2026-03-01T01:00:00+00:00",
        }
        assert first["usage"] == {
            "instance": [
                {
                    "vol": {"unit": "instance", "qty": 1},
                    "rating": {"price": Decimal("0.1")},
                    "groupby": {"id": "i1", "project_id": "a1"},
                    "metadata": {"flavor": None},
                }
            ],
            "volume": [
                {
                    "vol": {"unit": "GiB", "qty": Decimal("40.5")},
                    "rating": {"price": Decimal("0.5")},
                    "groupby": {"project_id": "a1"},
                    "metadata": {},
                }
            ],
        }
        assert second["usage"]["instance"][0]["rating"]["price"] == Decimal(TINY)
        assert TINY in response.text

    def test_pages_count_points(self, usage: Client) -> None:
        points: list[Any] = []
        for offset in range(0, 8, 2):
            response = usage.get("/v2/dataframes", offset=offset, limit=2, **MARCH)
            assert (response.status, response.body["total"]) == (200, 5)
            page = [
                (frame["period"]["begin"], metric, point)
                for frame in response.body["dataframes"]
                for metric, members in frame["usage"].items()
                for point in members
            ]
            assert len(page) == min(2, max(0, 5 - offset))
            points += page
        whole = usage.get("/v2/dataframes", **MARCH).body
        assert len(points) == whole["total"] == 5
        assert len({json.dumps(point, default=str) for point in points}) == 5

    def test_filters(self, usage: Client) -> None:
        def total(*filters: str) -> int:
            body = usage.get("/v2/dataframes", filters=list(filters), **MARCH).body
            return int(body["total"])

        assert total("type:volume") == 1
        assert total("type:instance,type:volume") == 5
        assert total("project_id:b2") == 2
        assert total("resource_id:i2") == 2

    @pytest.mark.parametrize("filters", ["project_id:b2", "type:nothing", "project_id:nobody"])
    def test_nothing_found_is_404(self, usage: Client, filters: str) -> None:
        response = usage.get_as("a1", "/v2/dataframes", filters=filters, **MARCH)
        assert (response.status, response.body) == (
            404,
            {"message": "No resource found for provided filters."},
        )

    def test_default_is_a_page_of_100(self, client: Client) -> None:
        storage = client.parts.storage
        series = build_series("a1", [("1", "1")] * 101)
        storage.ledger.commit(batch(list_scopes(storage, "a1"), series, periods=window(101)))
        body = client.get("/v2/dataframes").body
        assert (body["total"], len(body["dataframes"])) == (101, 100)
        assert client.get("/v2/dataframes", limit=10_001).status == 400

    def test_frames_from_elsewhere_are_not_taken(self, client: Client) -> None:
        response = client.send("POST", "/v2/dataframes", {"dataframes": [{"period": {}}]})
        assert response.status == 501
        assert (
            client.send(
                "POST", "/v2/dataframes", {"dataframes": []}, {"X-Test-Project": "a1"}
            ).status
            == 403
        )


def test_purged_frames_are_told(usage: Client) -> None:
    usage.parts.storage.purge.start(hour(2), totals=False)
    for path in ("/v1/storage/dataframes", "/v2/dataframes"):
        assert "2026-03-01T02:00:00Z was purged" in usage.get(path).headers["warning"]


class Purging:
    """Reports before whose reading the frames of the first hour are purged."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def frames(self, selection: Selection, page: Page = EVERYTHING) -> Iterator[FrameRow]:
        """Yield what is left."""
        purge = self._storage.purge
        purge.start(hour(1), totals=False)
        assert sum(count.frames for count in purge.remove(1000)) == 3
        yield from self._storage.reports.frames(selection, page)


def test_frames_that_are_purged_just_before_they_are_read_are_told(usage: Client) -> None:
    client = usage.with_reports(Purging(usage.parts.storage))
    response = client.get("/v1/storage/dataframes")
    assert len(response.body["dataframes"]) == 2
    assert "2026-03-01T01:00:00Z was purged" in response.headers["warning"]


def test_a_list_ends_if_nobody_can_tell_what_it_lacks(
    usage: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection to the database would be held for ever."""
    failing = Failing(usage.parts.storage.reports, after=5_000)
    client = usage.with_reports(failing)

    def fail(_: object) -> None:
        raise errors.TryLater("the database did not answer")

    monkeypatch.setattr(type(usage.parts.storage.purge), "mark", fail)
    assert client.get("/v1/storage/dataframes").status == 503
    assert failing.closed.is_set()


class Failing:
    """Reports whose frames end in an error.

    :param after: so many
    """

    def __init__(self, inner: Reports, after: int) -> None:
        self._inner = inner
        self.after = after
        self.read = 0
        self.closed = threading.Event()

    def frames(self, selection: Selection, page: Page = EVERYTHING) -> Iterator[FrameRow]:
        """Yield one frame many times, then fail."""
        frame = next(iter(self._inner.frames(selection)))
        try:
            for _ in range(self.after):
                self.read += 1
                yield frame
            raise errors.TryLater("the database did not answer")
        finally:
            self.closed.set()


def serve(server: Any) -> Iterator[int]:
    """Let a server answer in a thread; yield its port."""

    def run() -> None:
        # Closing it takes its sockets away from under its loop.
        with contextlib.suppress(OSError):
            server.run()

    thread = threading.Thread(target=run)
    thread.start()
    yield server.effective_port
    server.close()
    thread.join()


class TestSlowReaders:
    """Clients that ask for long lists and then do not read them."""

    @pytest.fixture
    def endless(self, usage: Client) -> Failing:
        return Failing(usage.parts.storage.reports, after=10**9)

    @pytest.fixture
    def port(self, usage: Client, endless: Failing) -> Iterator[int]:
        section = usage.conf.api
        usage.conf.set_override("port", 0, "api")
        usage.conf.set_override("threads", 2, "api")
        usage.conf.set_override("streams", 1, "api")
        usage.conf.set_override("read_timeout", 1, "api")
        parts = usage.with_reports(endless).parts
        server = http_server.listen(section, application.build(parts, routes.OPERATIONS, identify))
        yield from serve(server)

    def test_a_client_that_reads_nothing_is_disconnected(self, port: int, endless: Failing) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/v1/storage/dataframes")
        assert endless.closed.wait(60)
        with pytest.raises((ConnectionError, http.client.IncompleteRead)):
            connection.getresponse().read()
        connection.close()

    def test_lists_that_are_being_read_leave_a_thread_for_others(
        self, usage: Client, endless: Failing
    ) -> None:
        parts = dataclasses.replace(usage.with_reports(endless).parts, streams=Streams(2))
        wsgi = application.build(parts, routes.OPERATIONS, identify)

        def begin(project: str) -> tuple[str, Any]:
            environ = testing.create_environ(
                "/v1/storage/dataframes", remote_addr="127.0.0.1", headers={PROJECT: project}
            )
            statuses: list[str] = []
            body = wsgi(environ, lambda status, *_: statuses.append(status))
            return statuses[0][:3], body

        status, body = begin("a1")
        assert (status, begin("a1")[0]) == ("200", "503")
        other_status, other_body = begin("b2")
        assert (other_status, begin("c3")[0]) == ("200", "503")
        for stream in (body, other_body):
            next(iter(stream))
            stream.close()
        last_status, last_body = begin("a1")
        assert last_status == "200"
        last_body.close()

    def test_a_list_that_fails_to_begin_does_not_count(self, usage: Client) -> None:
        reports = Failing(usage.parts.storage.reports, after=0)
        client = usage.with_reports(reports)
        for _ in range(10):
            response = client.get("/v1/storage/dataframes")
            assert response.status == 503
            assert response.body["faultstring"] == "the database does not answer; try again later"


class TestStream:
    """Over a real server, since what a broken stream looks like is its doing."""

    @pytest.fixture
    def failing(self, usage: Client) -> Failing:
        return Failing(usage.parts.storage.reports, after=5_000)

    @pytest.fixture
    def port(self, usage: Client, failing: Failing) -> Iterator[int]:
        parts = usage.with_reports(failing).parts
        wsgi = application.build(parts, routes.OPERATIONS, identify)
        server = waitress.create_server(wsgi, host="127.0.0.1", port=0, threads=2)
        yield from serve(server)

    def test_a_failure_after_the_first_byte_is_no_valid_json(
        self, port: int, failing: Failing
    ) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/v1/storage/dataframes")
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
        connection.close()
        assert caught.value.partial.startswith(b'{"dataframes":[{"begin"')
        with pytest.raises(ValueError, match="Expecting"):
            json.loads(caught.value.partial)
        assert failing.closed.wait(60)

    def test_a_client_that_leaves_ends_the_reading(self, port: int, failing: Failing) -> None:
        failing.after = 10**9
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/v1/storage/dataframes")
        connection.getresponse().read(100_000)
        connection.close()
        assert failing.closed.wait(60)
        assert failing.read < 10**6
