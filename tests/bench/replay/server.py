"""``python -m tests.bench.replay.server``: serves on a free port of loopback, which it prints.

It ends when its standard input does. ``POST /replay/settings`` replaces some of the settings and
forgets what was asked; ``GET /replay/counts`` returns what was.
"""

from __future__ import annotations

import collections
import dataclasses
import http.server
import json
import sys
import threading
import time
import urllib.parse
from typing import Any

from tests.bench.replay.answers import Query, answer
from tests.bench.replay.asked import AskedHours
from tests.bench.replay.resources import Settings


class ReplayServer(http.server.ThreadingHTTPServer):
    """Answers requests, and counts them.

    :ivar settings: the current settings
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ReplayHandler)
        self.settings = Settings()
        self._counts: collections.Counter[str] = collections.Counter()
        self._asked = AskedHours()
        self._lock = threading.Lock()

    def configure(self, changes: dict[str, Any]) -> None:
        """Replace some settings, and forget what was asked."""
        with self._lock:
            self.settings = dataclasses.replace(self.settings, **changes)
            self._counts.clear()
            self._asked.clear()

    def count(self, path: str, content: bytes, points: int) -> None:
        """Count a request and its response."""
        with self._lock:
            self._counts["requests"] += 1
            self._counts[f"requests to {'/'.join(path.split('/')[:3])}"] += 1
            self._counts["bytes"] += len(content)
            self._counts["points"] += points

    def track(self, query: Query, body: Any) -> None:
        """Count the hours that a request for aggregates asks for."""
        with self._lock:
            self._asked.add(query, body)

    def counts(self) -> dict[str, float]:
        """Return what was asked so far."""
        with self._lock:
            return {**self._counts, **self._asked.counts(), "cpu": time.process_time()}


class ReplayHandler(http.server.BaseHTTPRequestHandler):
    """Handles one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ReplayServer

    def do_GET(self) -> None:
        """Handle a request."""
        self._handle()

    def do_POST(self) -> None:
        """Handle a request."""
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _handle(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if url.path == "/replay/settings":
            self.server.configure(body or {})
            content = b"{}"
        elif url.path == "/replay/counts":
            content = json.dumps(self.server.counts()).encode()
        else:
            query = urllib.parse.parse_qs(url.query)
            content, points = answer(url.path, query, body, self.server.settings)
            self.server.count(url.path, content, points)
            if points and self.server.settings.tracks_hours:
                self.server.track(query, body)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serve until standard input ends."""
    server = ReplayServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
