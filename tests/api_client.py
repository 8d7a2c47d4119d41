"""A client of the API in this process, over a real database."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
import pathlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from falcon import testing
from oslo_context.context import RequestContext

from ratekit.api import application, authentication, routes
from ratekit.api.parts import Parts
from ratekit.cmd import api, configuration

NOW = datetime.datetime(2026, 3, 15, 12, 30, tzinfo=datetime.UTC)

METRICS = pathlib.Path(__file__).parents[1] / "etc/ratekit/metrics.yml"

_CONF = """
[database]
connection = {url}
[fetcher]
backend = static
[collect]
metrics_conf = {metrics}
[api]
auth_strategy = noauth
{extra}
"""


#: Header of a test that names the project of a user who is no administrator.
PROJECT = "X-Test-Project"


def identify(inner: authentication.Wsgi, conf: Any, public: Any) -> authentication.Wsgi:
    """Return an application that takes a sender for a member of the project that he names.

    Without the header everybody is an administrator, as [api] auth_strategy = noauth says.
    """

    def as_member(environ: authentication.Environ, start_response: Any) -> Iterable[bytes]:
        member = RequestContext(
            user_id="member",
            project_id=environ.get("HTTP_X_TEST_PROJECT") or None,
            roles=["member", "reader"],
            overwrite=False,
        )
        return inner({**environ, authentication.CALLER: member}, start_response)

    as_operator = authentication.authenticate(inner, conf, public)
    as_user = authentication.authenticate(as_member, conf, public)

    def choose(environ: authentication.Environ, start_response: Any) -> Iterable[bytes]:
        chosen = as_user if "HTTP_X_TEST_PROJECT" in environ else as_operator
        return chosen(environ, start_response)

    return choose


class Response(NamedTuple):
    """What the API answered.

    :ivar body: the JSON value, numbers as Decimal; None: no body
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    text: str


class Client:
    """Sends requests to an application.

    :param folder: for the configuration
    :param url: of a database at the newest revision
    :param extra: options of [api], and more sections
    """

    def __init__(self, folder: pathlib.Path, url: str, extra: str = "") -> None:
        path = folder / "ratekit.conf"
        path.write_text(_CONF.format(url=url, extra=extra, metrics=METRICS), encoding="utf-8")
        self.conf = configuration.load_for_serving(api.PROG, ["--config-file", str(path)])
        parts = api.build_parts(self.conf)
        self._serve(dataclasses.replace(parts, clock=lambda: NOW))

    def _serve(self, parts: Parts) -> None:
        self.parts = parts
        wsgi = application.build(parts, routes.OPERATIONS, identify)
        # Falcon looks at the signature, which oslo.middleware hides, and names no client's address.
        self._client = testing.TestClient(
            lambda environ, start: wsgi({"REMOTE_ADDR": "127.0.0.1", **environ}, start)
        )

    def with_limits(self, **limits: object) -> Client:
        """Return a client of an application with other limits, over the same database."""
        client = copy.copy(self)
        changed: Any = dataclasses.replace(self.parts.limits, **limits)  # type: ignore[arg-type]
        client._serve(dataclasses.replace(self.parts, limits=changed))
        return client

    def with_reports(self, reports: Any) -> Client:
        """Return a client of an application with other reports; only what is asked must exist."""
        client = copy.copy(self)
        storage = dataclasses.replace(self.parts.storage, reports=reports)
        client._serve(dataclasses.replace(self.parts, storage=storage))
        return client

    def send(
        self,
        verb: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Response:
        """Send a request with a JSON body; a key of the query that repeats is a list."""
        content = None if body is None else json.dumps(body).encode()
        return self.send_bytes(verb, path, content, headers, **query)

    def send_bytes(
        self,
        verb: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Response:
        """Send a request with any body."""
        given = {key: value for key, value in query.items() if value is not None}
        result = self._client.simulate_request(
            verb, path, params=given or None, params_csv=False, body=body, headers=headers
        )
        is_json = "json" in (result.headers.get("content-type") or "")
        content = json.loads(result.text, parse_float=Decimal) if result.text and is_json else None
        return Response(result.status_code, result.headers, content, result.text)

    def simulate(self, path: str, **request: Any) -> testing.Result:
        """Send a GET with what Falcon's test client knows of requests."""
        return self._client.simulate_get(path, **request)

    def get_as(self, project: str, path: str, **query: object) -> Response:
        """Send a GET as a member of a project; empty: of none."""
        return self.send("GET", path, None, {PROJECT: project}, **query)

    def get(self, path: str, **query: object) -> Response:
        """Send a GET."""
        return self.send("GET", path, None, None, **query)
