"""Attacks on a running ratekit-api: what comes before the application, and slow clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
import socket
import urllib.parse
from collections.abc import Iterator

import pytest
import waitress

from ratekit.cmd import http_server
from tests.judges import live_api

#: More than it has threads.
_SLOW_CLIENTS = 30
_PATIENCE = 30
Address = tuple[str, int]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Run a ratekit-api with few threads; yield its host and port."""
    folder: pathlib.Path = tmp_path_factory.mktemp("api")
    live_api.write_conf(folder, "auth_strategy = noauth\nthreads = 2\ndashboard = true\n")
    with live_api.serve(folder) as url:
        parts = urllib.parse.urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        yield parts.hostname, parts.port


def send(address: Address, request: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send bytes; return the status, headers and body of the answer."""
    with socket.create_connection(address, _PATIENCE) as connection:
        # The server may answer, and close, before it has read everything.
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.headers, response.read()


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET /v1/rating/modules?" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 300_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 60_000 + b"\r\n", 431),
        (b"POST /v1/rating/quote HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n{", 413),
        (b"POST /v2/scope HTTP/1.1\r\nHost: a\r\nContent-Length: nothing\r\n\r\n{", 400),
        (b"POST /v2/scope HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n{", 501),
        (
            b"POST /v2/scope HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"fffff\r\n" + b" " * 0xFFFFF + b"\r\n" + b"fffff\r\n" + b" " * 0xFFFFF + b"\r\n",
            413,
        ),
        (b"GET /v1/rating/modules HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
    ids=lambda value: value if isinstance(value, int) else value[:40].decode("latin-1"),
)  # fmt: skip
def test_what_the_server_refuses_is_json_in_a_dialect(
    address: Address, request_text: bytes, status: int
) -> None:
    answer, headers, body = send(address, request_text)
    assert answer == status
    assert headers["Content-Type"] == "application/json"
    keys = {"message"}
    if request_text.startswith(b"POST /v1"):
        keys = {"faultcode", "faultstring", "debuginfo"}
    assert json.loads(body).keys() == keys
    assert b"Traceback" not in body
    assert b"waitress" not in body


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"POST /dashboard/zone HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n{", 413),
        (b"GET /dashboard/about HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ],
    ids=["large", "malformed"],
)
def test_what_the_server_refuses_of_a_page_is_a_page(
    address: Address, request_text: bytes, status: int
) -> None:
    answer, headers, body = send(address, request_text)
    assert answer == status
    if headers["Content-Type"] != "application/json":
        assert headers["Content-Type"].startswith("text/html")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert b"<h1>" in body


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Host", "evil.example\"'><script>"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Openstack-Request-Id", "req-" + "a" * 5000),
        ("X-Project-Id", "a' OR '1'='1"),
        ("Content-Type", "text/plain; charset=nothing"),
        ("Cookie", 'ratekit_session="\\303'),
        ("Cookie", "a=b; ratekit_session; =; ;;" + "x" * 5000),
        ("Accept", ";;;"),
        ("Content-Encoding", "br"),
        ("Origin", "null"),
        ("If-None-Match", "*"),
        ("Range", "bytes=0-18446744073709551615"),
    ],
)
def test_odd_headers_are_harmless(address: Address, header: str, value: str) -> None:
    paths = ("/", "/v1/rating/modules", "/v2/summary", "/v1/storage/dataframes", "/dashboard/about")
    for path in paths:
        host = "" if header == "Host" else "Host: a\r\n"
        request = f"GET {path} HTTP/1.1\r\n{host}{header}: {value}\r\n\r\n".encode()
        status, _, body = send(address, request)
        assert status < 500
        assert b"Traceback" not in body
        if path.startswith("/dashboard"):
            assert b"<script>" not in body


def test_slow_clients_block_nobody(address: Address) -> None:
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(address, _PATIENCE))
            for _ in range(_SLOW_CLIENTS)
        ]
        for number, byte in enumerate(b"GET /v1/rating/modules HTTP/1.1\r\nX-Slow: "):
            for client in clients:
                client.sendall(bytes([byte]))
            if number % 10 == 0:
                request = b"GET /v2/rating/modules HTTP/1.1\r\nHost: a\r\n\r\n"
                assert send(address, request)[0] == 200
        # A body that never comes whole.
        slow = b"POST /v1/rating/quote HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
        for client in clients:
            client.sendall(b"a\r\n\r\n" + slow)
        assert send(address, b"GET /v1/rating/modules HTTP/1.1\r\nHost: a\r\n\r\n")[0] == 200


def test_a_name_may_have_several_addresses() -> None:
    listener = waitress.create_server(lambda _environ, _start: [], listen="127.0.0.1:0 127.0.0.1:0")
    try:
        hosts, ports = zip(*http_server.addresses(listener), strict=True)
    finally:
        listener.close()
        listener.task_dispatcher.shutdown()
    assert hosts == ("127.0.0.1", "127.0.0.1")
    assert len(set(ports)) == 2
