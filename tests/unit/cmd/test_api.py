"""ratekit-api as a process: start, stop, and what is in its way."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.empty_database import create_empty

REPO = pathlib.Path(__file__).parents[3]
#: Seconds after which a wait fails the test.
TIMEOUT = 60.0
_SCRIPT = """
import sys
from ratekit.cmd import launch
code = launch.api()
if "eventlet" in sys.modules:
    sys.exit("eventlet was imported")
sys.exit(code)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


_KEYSTONE = """
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:9/v3
www_authenticate_uri = http://127.0.0.1:9/v3
memcached_servers = 127.0.0.1:9
username = ratekit
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
"""


class Api:
    """A ratekit-api on SQLite, without tokens.

    :ivar port: that it listens on
    """

    def __init__(self, folder: pathlib.Path, **options: object) -> None:
        self.port = free_port()
        self.conf = folder / "ratekit.conf"
        self.database = folder / "r.sqlite"
        values = {"auth_strategy": "noauth", "port": self.port, **options}
        lines = "".join(f"{name} = {value}\n" for name, value in values.items())
        self.conf.write_text(
            f"[database]\nconnection = sqlite:///{self.database}\n"
            f"[fetcher]\nbackend = static\n"
            f"[collect]\nmetrics_conf = {REPO}/etc/ratekit/metrics.yml\n[api]\n{lines}"
        )

    def start(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, *(argv or ("--config-file", str(self.conf)))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        with self.start() as process:
            try:
                self.wait(process)
                yield process
            finally:
                process.kill()

    def run(self, *argv: str) -> tuple[int, str, str]:
        with self.start(*argv) as process:
            out, err = process.communicate(timeout=TIMEOUT)
        return process.returncode, out, err

    def wait(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + TIMEOUT
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def get(self, path: str) -> tuple[int, Any, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read()), response.headers


@pytest.fixture
def api(tmp_path: pathlib.Path) -> Api:
    api = Api(tmp_path)
    create_empty(api.database)
    return api


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_quietly(api: Api, number: signal.Signals, code: int) -> None:
    with api.running() as process:
        assert api.get("/v1/info/metrics/instance")[0] == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (code, "")
    line, *others = err.splitlines()
    assert f"listening on http://127.0.0.1:{api.port}" in line
    # On a busy machine the server may say that its threads are slow.
    assert [text for text in others if " WARNING waitress" not in text] == []


def test_an_address_in_use_is_one_line_and_1(api: Api) -> None:
    with socket.create_server(("127.0.0.1", api.port)):
        code, out, err = api.run()
    assert (code, out) == (1, "")
    assert err == (
        f"ratekit-api: [api] cannot listen on 127.0.0.1, port {api.port}: Address already in use; "
        "another process uses it\n"
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_host_is_one_line_and_2(tmp_path: pathlib.Path, host: str) -> None:
    options = {"host": host, "auth_strategy": "keystone"}
    api = Api(tmp_path, **options)
    create_empty(api.database)
    with api.conf.open("a") as file:
        file.write(
            "[keystone_authtoken]\nauth_type = token\ntoken = x\nauth_url = http://127.0.0.1:9\n"
        )
    code, _, err = api.run()
    assert code == 2
    assert err.splitlines()[-1].startswith(f"ratekit-api: [api] cannot listen on {host}, port ")
    assert "Traceback" not in err


def test_its_arguments_are_those_of_the_processor(api: Api) -> None:
    code, out, _ = api.run("--version")
    assert (code, bool(out.strip())) == (0, True)
    code, out, err = api.run("--help")
    assert (code, err) == (0, "")
    assert out.startswith("usage: ratekit-api [options]\n")
    assert api.run("--nonsense")[0] == 2


def test_tables_that_are_missing_are_one_line_and_2(tmp_path: pathlib.Path) -> None:
    code, out, err = Api(tmp_path).run()
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert "ratekit-dbsync upgrade" in line


def test_metrics_that_cannot_be_read_are_one_line_and_2(api: Api, tmp_path: pathlib.Path) -> None:
    api.conf.write_text(api.conf.read_text().replace("etc/ratekit/metrics.yml", "no-such.yml"))
    code, _, err = api.run()
    assert code == 2
    (line,) = err.splitlines()
    assert "no-such.yml" in line


def test_threads_answer_at_the_same_time_and_share_no_connection(tmp_path: pathlib.Path) -> None:
    # sqlite3 raises an error where a connection is used by two threads.
    api = Api(tmp_path, threads=20)
    create_empty(api.database)
    with api.running(), ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(lambda _: api.get("/v2/scope")[0], range(200)))
    assert set(statuses) == {404}


def serve_by_wsgi(api: Api) -> subprocess.CompletedProcess[str]:
    """Ask the application of ratekit.wsgi for ``/``."""
    script = (
        "import sys; sys.argv = ['server', '--bind', 'x', '--config-file', '/nowhere']\n"
        "from ratekit.wsgi import application\n"
        "environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/', 'SERVER_NAME': 'h',\n"
        "  'SERVER_PORT': '80', 'wsgi.url_scheme': 'http', 'wsgi.input': sys.stdin.buffer,\n"
        "  'wsgi.errors': sys.stderr}\n"
        "print(b''.join(application(environ, lambda status, *_: print(status))))"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "RATEKIT_CONFIG": str(api.conf)},
        input="",
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wsgi_server_reads_no_command_line(tmp_path: pathlib.Path) -> None:
    api = Api(tmp_path, auth_strategy="keystone")
    with api.conf.open("a", encoding="utf-8") as file:
        file.write(_KEYSTONE)
    create_empty(api.database)
    answer = serve_by_wsgi(api)
    assert answer.stderr == ""
    assert answer.stdout.startswith("200 OK")


@pytest.mark.parametrize("keys", ["", base64.b64encode(b"k" * 32).decode()])
def test_a_wsgi_server_with_pages_needs_a_key(tmp_path: pathlib.Path, keys: str) -> None:
    api = Api(tmp_path, auth_strategy="keystone", dashboard=True, dashboard_keys=keys)
    with api.conf.open("a", encoding="utf-8") as file:
        file.write(_KEYSTONE)
    create_empty(api.database)
    answer = serve_by_wsgi(api)
    if keys:
        assert answer.stdout.startswith("200 OK"), answer.stderr
    else:
        assert answer.returncode != 0
        assert answer.stderr.startswith("ratekit-api: [api] dashboard_keys: missing")


def test_a_wsgi_server_is_not_open_to_everybody(api: Api) -> None:
    answer = serve_by_wsgi(api)
    assert answer.returncode != 0
    assert answer.stderr.startswith(
        "ratekit-api: [api] auth_strategy: noauth works with the command ratekit-api only"
    )
