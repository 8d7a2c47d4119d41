"""A Gnocchi on loopback that makes its answers up and records who asked for what."""

from __future__ import annotations

import base64
import collections
import contextlib
import datetime
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from tests.builders import HOUR, SECOND

_POLICY = {
    "name": "hourly",
    "back_window": 0,
    "aggregation_methods": ["mean"],
    "definition": [
        {"timespan": "400 days, 0:00:00", "granularity": "1:00:00", "points": 9600},
        {"timespan": "40 days, 0:00:00", "granularity": "0:01:00", "points": 57600},
    ],
}
_BIRTH = "2020-01-01T00:00:00+00:00"


class Ask(NamedTuple):
    """A request for usage.

    :ivar instant: of the monotonic clock
    :ivar user: who asked
    :ivar points: (scope, begin of a period) of each point
    """

    instant: float
    user: str
    points: Sequence[tuple[str, datetime.datetime]]


class Gnocchi:
    """Each scope has one instance, which uses 1 in every period unless a test says otherwise.

    :ivar step: length of a period
    :ivar usage: returns what a scope uses in the period that begins then
    :ivar asks: all requests for usage, in order
    :ivar delay: seconds before each answer
    :ivar delays: seconds before each answer about a scope, in place of ``delay``
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asks: list[Ask] = []
        self.step = HOUR
        self.usage: Callable[[str, datetime.datetime], float] = lambda _scope, _begin: 1.0
        self.delay = 0.0
        self.delays: dict[str, float] = {}

    def answer(self, user: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        """Return the answer to one request."""
        if path.endswith("/v1/aggregates") and body["operations"][0] == "aggregate":
            return self._aggregates(user, query, body)
        if path.endswith("/v1/aggregates"):
            return {"references": [], "measures": {}}
        if "/v1/resource_type/" in path:
            return {"name": path.rpartition("/")[2], "state": "active", "attributes": {}}
        return [_POLICY] if path.endswith("/v1/archive_policy") else []

    def _aggregates(self, user: str, query: dict[str, list[str]], body: Any) -> Any:
        scopes = next(
            clause["in"]["project_id"]
            for clause in body["search"]["and"]
            if "project_id" in clause.get("in", {})
        )
        start, stop = (datetime.datetime.fromisoformat(query[key][0]) for key in ("start", "stop"))
        begins = [start + number * self.step for number in range((stop - start) // self.step)]
        points = [(scope, begin) for scope in scopes for begin in begins]
        self.asks.append(Ask(time.monotonic(), user, points))
        time.sleep(max([self.delays.get(scope, self.delay) for scope in scopes]))
        seconds = self.step / SECOND
        return [
            {
                "measures": {
                    "measures": {
                        "aggregated": [
                            [begin.isoformat(), seconds, self.usage(scope, begin)]
                            for begin in begins
                        ]
                    }
                },
                "group": {name: _attribute(name, scope) for name in query["groupby"]},
            }
            for scope in scopes
        ]

    def count_twice(self) -> tuple[int, int]:
        """Return the number of different points that were asked, and how many again."""
        counts = collections.Counter(point for ask in self.asks for point in ask.points)
        return len(counts), sum(counts.values()) - len(counts)


def _attribute(name: str, scope: str) -> str | None:
    values = {"id": f"instance of {scope}", "project_id": scope, "revision_end": None}
    return values.get(name, _BIRTH if name in ("revision_start", "started_at") else None)


@contextlib.contextmanager
def run_gnocchi() -> Iterator[Gnocchi]:
    """Serve until the context ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _handle(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            token = self.headers.get("Authorization", "").rpartition(" ")[2]
            user = base64.b64decode(token).decode().partition(":")[0]
            content = json.dumps(
                gnocchi.answer(user, url.path, urllib.parse.parse_qs(url.query), body)
            ).encode()
            with contextlib.suppress(ConnectionError):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore clients that were killed."""

    server = Server(("127.0.0.1", 0), Handler)
    gnocchi = Gnocchi(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield gnocchi
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
