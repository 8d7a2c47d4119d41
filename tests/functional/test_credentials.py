"""What operators read when ratekit cannot get into Keystone or Gnocchi."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import pathlib
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import stack
from tests.functional.test_commands import Shell, shell

__all__ = ["shell"]  # a fixture

Said = Callable[[str, str], list[str]]


@pytest.fixture
def said(shell: Shell, tmp_path: pathlib.Path) -> Said:
    """Rate with a line of the configuration replaced; return what was said, one line each.

    Nothing is rated, and the exit code is 1.
    """
    path = tmp_path / "ratekit.conf"
    good = path.read_text(encoding="utf-8")
    assert shell.run("ratekit-dbsync", "upgrade").returncode == 0

    def said(old: str, new: str) -> list[str]:
        assert old in good
        path.write_text(good.replace(old, new), encoding="utf-8")
        done = shell.run("ratekit-processor", "--once")
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert "frames in" not in done.stderr or " 0 frames in" in done.stderr
        return [line for line in done.stderr.splitlines() if " INFO " not in line]

    return said


def keystone(cloud: stack.Stack) -> str:
    return f"ratekit-processor: Keystone at {cloud.keystone_url}"


@pytest.mark.parametrize("wrong", ["password", "user", "project"])
def test_wrong_credentials_name_the_section(cloud: stack.Stack, said: Said, wrong: str) -> None:
    old, new = {
        "password": (f"password = {cloud.user.password}\n", "password = geheim\n"),
        "user": (f"username = {cloud.user.name}\n", "username = nobody\n"),
        "project": (f"project_name = {cloud.user.project}\n", "project_name = nowhere\n"),
    }[wrong]
    assert said(old, new) == [
        f"{keystone(cloud)}: wrong user name, password, domain or project in [ratekit_auth]"
    ]


def test_an_application_credential_that_is_wrong_is_told_as_such(
    cloud: stack.Stack, said: Said, tmp_path: pathlib.Path
) -> None:
    text = (tmp_path / "ratekit.conf").read_text(encoding="utf-8")
    start = text.index("auth_type = password")
    end = text.find("\n\n", start)
    old = text[start:end] if end > 0 else text[start:]
    new = (
        f"auth_type = v3applicationcredential\nauth_url = {cloud.keystone_url}\n"
        "application_credential_id = nobody\napplication_credential_secret = geheim\n"
    )
    assert said(old, new) == [f"{keystone(cloud)}: wrong application credential in [ratekit_auth]"]


def test_a_url_that_is_not_keystones_is_told(cloud: stack.Stack, said: Said) -> None:
    url = f"auth_url = {cloud.keystone_url}\n"
    for wrong in (cloud.keystone_url.replace("/v3", "/nowhere"), cloud.gnocchi_url):
        assert said(url, f"auth_url = {wrong}\n") == [
            f"ratekit-processor: Keystone at {wrong} is no Keystone; expected its URL, such as "
            "https://keystone.example/v3, as auth_url in [ratekit_auth]"
        ]


@pytest.mark.parametrize("path", ["/v3", "", "/identity/v3"])
def test_a_keystone_that_does_not_answer_is_told(cloud: stack.Stack, said: Said, path: str) -> None:
    dead = f"http://127.0.0.1:1{path}"
    (line,) = said(f"auth_url = {cloud.keystone_url}\n", f"auth_url = {dead}\n")
    assert line.startswith(
        f"ratekit-processor: Keystone at {dead} does not answer: Unable to establish connection"
    )
    assert "([Errno 111] " in line


@pytest.mark.parametrize(
    ("group", "kind", "interface"),
    [("fetcher_keystone", "identity", "public"), ("collector_gnocchi", "metric", "internalURL")],
)
def test_an_endpoint_that_the_catalogue_lacks_is_told_with_those_it_has(
    cloud: stack.Stack, said: Said, group: str, kind: str, interface: str
) -> None:
    assert said(f"[{group}]\n", f"[{group}]\nregion_name = RegionTwo\n")[-1:] == [
        f"{keystone(cloud)}: its catalogue has no endpoint of type '{kind}' with interface "
        f"'{interface}' in region 'RegionTwo'; there are: admin in RegionOne, internal in "
        f"RegionOne, public in RegionOne; see [{group}]"
    ]


def test_a_certificate_that_nobody_trusts_is_told(
    cloud: stack.Stack, said: Said, tmp_path: pathlib.Path
) -> None:
    with tls(tmp_path) as url:
        (line,) = said(f"auth_url = {cloud.keystone_url}\n", f"auth_url = {url}/v3\n")
    assert line.startswith(f"ratekit-processor: Keystone at {url}/v3: no trust by TLS: ")
    assert "certificate verify failed" in line
    assert line.endswith("see [ratekit_auth], cafile and insecure")


@contextlib.contextmanager
def tls(folder: pathlib.Path) -> Iterator[str]:
    """Serve HTTPS on loopback with a certificate of its own making; yield its URL."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "loopback.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    # Each connection shakes hands in a thread of its own.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
