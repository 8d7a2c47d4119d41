"""The API while its database is away: it says so, and comes back by itself."""

from __future__ import annotations

import pathlib

import pytest
from falcon import testing

from ratekit.api.authentication import Wsgi
from ratekit.cmd import lazy_application
from ratekit.cmd.api import build
from ratekit.cmd.lazy_application import LazyApplication
from ratekit.storage import migrate
from tests.api_client import Client
from tests.databases import SERVERS, private_server
from tests.page_client import PageClient


def get(application: Wsgi, path: str) -> testing.Result:
    client = testing.TestClient(lambda environ, start: application(environ, start))
    return client.simulate_get(path, remote_addr="127.0.0.1")


@pytest.mark.parametrize("backend", SERVERS)
def test_requests_wait_for_a_server_that_restarts(
    backend: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_application, "_PAUSE", 0.0)
    with private_server(backend) as server:
        url = server.url("ratekit")
        migrate.upgrade(url)
        client = Client(tmp_path, url)
        late = LazyApplication(lambda: build(client.conf))
        assert client.get("/v2/scope").status == 404
        pages = PageClient(tmp_path, url)
        assert pages.get("/dashboard/totals").status == 200
        server.kill()
        down = pages.get("/dashboard/totals")
        assert down.status == 503
        assert "The database does not answer; try again later." in down.words
        assert pages.get("/dashboard/totals", format="csv").status == 503
        # What needs no database goes on.
        assert pages.get("/dashboard/about").status == 200
        for path, key in (("/v2/scope", "message"), ("/v1/report/tenants", "faultstring")):
            response = client.get(path)
            assert (response.status, int(response.headers["retry-after"]) > 0) == (503, True)
            assert "\n" not in response.body[key]
            # It was started while the server was down.
            result = get(late, path)
            assert (result.status_code, key in result.json) == (503, True)
            assert result.headers["retry-after"]
            page = get(late, "/dashboard/about")
            assert page.status_code == 503
            assert "<h1>Not available at the moment</h1>" in page.text
            assert page.headers["content-security-policy"]
        assert client.get("/healthcheck").status == 503
        # What needs no database goes on.
        assert client.get("/v1/info/metrics").status == 200
        server.start()
        assert client.get("/healthcheck").status == 200
        assert client.get("/v2/scope").status == 404
        assert get(late, "/v2/scope").status_code == 404
