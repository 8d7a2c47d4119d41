"""Responses that would take all memory are refused with little of it, in one line."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from ratekit import errors, http_limits
from tests.stub_server import StubResponse, StubServer

GZIP = (("Content-Encoding", "gzip"),)
#: Two GiB of zeros in two MB: gzip allows members one after the other.
BOMB = gzip.compress(bytes(64 << 20), 1) * 32
#: Prints the error of a request, and the most memory in MiB that the process ever had.
CHILD = """
import sys
import requests
from ratekit import errors, http_limits
http = requests.Session()
http.mount("http://", http_limits.LimitedAdapter())
try:
    response = http.get(sys.argv[1])
    print(response.status_code, len(response.content))
except errors.RatekitError as error:
    print(error)
[line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(int(line.split()[1]) >> 10)
"""


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as http:
        http.mount("http://", http_limits.LimitedAdapter())
        yield http


@pytest.mark.parametrize(
    "response",
    [
        StubResponse(BOMB, headers=GZIP),
        StubResponse(b"[", endless=b"[[[[[[[[" * 8192),
        StubResponse(gzip.compress(b"[", 1), headers=GZIP, endless=gzip.compress(bytes(1 << 20))),
    ],
    ids=["gzip bomb", "endless", "endless gzip"],
)
def test_a_response_that_is_too_large_takes_little_memory(
    server: StubServer, response: StubResponse
) -> None:
    server.respond("/large", response)
    command = [sys.executable, "-c", CHILD, f"{server.url}/large"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    message, mebibytes = output.splitlines()
    assert message == f"{server.url} sent a response of more than 32 MiB"
    assert int(mebibytes) < 400


@pytest.mark.parametrize("status", [404, 500])
def test_of_an_error_response_only_the_start_is_read(
    server: StubServer, http: requests.Session, status: int
) -> None:
    server.respond("/error", StubResponse(b"x", status, endless=b"x" * 8192))
    response = http.get(f"{server.url}/error")
    assert response.status_code == status
    assert 0 < len(response.content) <= http_limits.MAX_ERROR_BYTES


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd"])
def test_other_compression_than_a_single_gzip_is_refused(
    server: StubServer, http: requests.Session, encoding: str
) -> None:
    server.respond("/twice", StubResponse(b"", headers=(("Content-Encoding", encoding),)))
    with pytest.raises(errors.InvalidResponse, match=re.escape(repr(encoding))):
        http.get(f"{server.url}/twice")


@pytest.mark.parametrize("headers", [(), GZIP])
def test_a_large_response_within_the_limit_is_complete(
    server: StubServer, http: requests.Session, headers: tuple[tuple[str, str], ...]
) -> None:
    body = b"0123456789" * 1_000_000
    server.respond("/good", StubResponse(gzip.compress(body, 1) if headers else body, 200, headers))
    assert http.get(f"{server.url}/good").content == body
    assert server.requests[-1].headers["Accept-Encoding"] == "gzip, deflate"


def test_a_password_in_an_address_is_not_shown(server: StubServer, http: requests.Session) -> None:
    server.respond("/twice", StubResponse(b"", headers=(("Content-Encoding", "br"),)))
    address = server.url.replace("//", "//joe:geheim@")
    with pytest.raises(errors.InvalidResponse) as caught:
        http.get(f"{address}/twice")
    assert "geheim" not in str(caught.value)
