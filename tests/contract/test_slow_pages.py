"""Pages of a running ratekit-api whose database answers late."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ratekit.storage import migrate
from tests.contract.test_report_limits import locked_totals
from tests.databases import SERVERS, new_database
from tests.judges import live_api

#: A page that reads what is locked.
PATH = "/dashboard/totals"
_START = "import sys; from ratekit.cmd import launch; sys.exit(launch.api())"
#: Seconds after which a wait fails the test.
_PATIENCE = 60
#: Less than the 30 s after which a lock is given up.
_END = 27
_NOTICE = b"Reading takes longer than usual"


@pytest.fixture(params=SERVERS)
def url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    with new_database(request.param, tmp_path) as address:
        migrate.upgrade(address)
        yield address


@contextlib.contextmanager
def serve(folder: pathlib.Path, url: str, limit: int) -> Iterator[tuple[str, int]]:
    """Run the server; yield its host and port.

    :param limit: seconds of a report
    """
    conf = folder / "ratekit.conf"
    conf.write_text(
        f"[database]\nconnection = {url}\n[fetcher]\nbackend = static\n"
        f"[collect]\nmetrics_conf = {live_api.METRICS}\n[api]\nport = 0\n"
        f"auth_strategy = noauth\nthreads = 2\nstatement_timeout = {limit}\ndashboard = true\n"
    )
    command = [sys.executable, "-c", _START, "--config-file", str(conf)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            host, _, port = line.rpartition("http://")[2].strip().partition(":")
            yield host, int(port)
        finally:
            process.terminate()
            try:
                _, errors = process.communicate(timeout=_END)
            finally:
                process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors


def ask(address: tuple[str, int]) -> socket.socket:
    connection = socket.create_connection(address, _PATIENCE)
    connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return connection


def read_until(connection: socket.socket, text: bytes) -> bytes:
    """Return what is sent until ``text`` has come; empty: until the end."""
    content = b""
    while not text or text not in content:
        part = connection.recv(65536)
        if not part:
            assert not text, content
            break
        content += part
    return content


def test_a_page_begins_before_its_database_has_answered(url: str, tmp_path: pathlib.Path) -> None:
    with serve(tmp_path, url, 60) as address:
        with contextlib.ExitStack() as stack:
            stack.enter_context(locked_totals(url))
            waiting = ask(address)
            head = read_until(waiting, _NOTICE)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"Content-Security-Policy" in head
            assert b"<h1>" not in head
        with waiting:
            rest = read_until(waiting, b"")
        assert b'<div class="late">' in rest
        assert b"<h1>Costs of all" in rest
        assert rest.rstrip().endswith((b"</html>", b"\r\n0"))
        # Now it is as fast as it usually is, on a machine that is not too busy.
        with ask(address) as connection:
            assert b"<h1>Costs of all" in read_until(connection, b"")


def test_a_report_that_takes_too_long_says_how_to_narrow_it(
    url: str, tmp_path: pathlib.Path
) -> None:
    with serve(tmp_path, url, 2) as address, locked_totals(url), ask(address) as connection:
        content = read_until(connection, b"")
    assert _NOTICE in content
    assert b"This takes too long" in content
    assert b"Choose fewer days" in content


def test_a_page_that_is_read_does_not_keep_the_server_from_ending(
    url: str, tmp_path: pathlib.Path
) -> None:
    with locked_totals(url), serve(tmp_path, url, 3600) as address, ask(address) as connection:
        read_until(connection, _NOTICE)
        # The server ends before the lock does.


def test_other_pages_are_answered_in_the_meantime(url: str, tmp_path: pathlib.Path) -> None:
    with serve(tmp_path, url, 60) as address, locked_totals(url), ask(address) as waiting:
        read_until(waiting, _NOTICE)
        with socket.create_connection(address, _PATIENCE) as connection:
            connection.sendall(
                b"GET /dashboard/settings HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            )
            assert b"Time zone" in read_until(connection, b"")
