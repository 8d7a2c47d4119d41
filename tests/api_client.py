"""A client of the API in this process, over a real database."""

from __future__ import annotations

import datetime
import json
import pathlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from falcon import testing

from ratekit.api import application, routes
from ratekit.cmd import api, configuration

NOW = datetime.datetime(2026, 3, 15, 12, 30, tzinfo=datetime.UTC)

_CONF = """
[database]
connection = {url}
[fetcher]
backend = static
[api]
auth_strategy = noauth
{extra}
"""


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
        path.write_text(_CONF.format(url=url, extra=extra), encoding="utf-8")
        self.conf = configuration.load_for_serving(api.PROG, ["--config-file", str(path)])
        self.parts = api.build_parts(self.conf)
        wsgi = application.build(self.parts, routes.OPERATIONS)
        # Falcon looks at the signature, which oslo.middleware hides.
        self._client = testing.TestClient(lambda environ, start: wsgi(environ, start))

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

    def get(self, path: str, **query: object) -> Response:
        """Send a GET."""
        return self.send("GET", path, None, None, **query)
