"""The configuration of ratekit-api: its own options, and those of the libraries around it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from ratekit import errors
from ratekit.cmd import configuration
from ratekit.conf.checking import option_catalog
from tests.unit.conf.conftest import GOOD, Load

SERVED = """\
[database]
connection = sqlite:////var/lib/ratekit/ratekit.sqlite
[keystone_authtoken]
auth_type = password
auth_url = https://keystone.example/v3
username = ratekit
password = geheim
project_name = service
user_domain_name = Default
project_domain_name = Default
memcached_servers = 127.0.0.1:11211
service_type = rating
[cors]
allowed_origin = https://horizon.example
[oslo_middleware]
enable_proxy_headers_parsing = true
[healthcheck]
disable_by_file_path = /etc/ratekit/out-of-rotation
[oslo_policy]
enforce_new_defaults = true
"""

#: 32 bytes in base64.
_KEY = "a" * 43 + "="
Serve = Callable[[str], Any]


@pytest.fixture
def serve(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Load a configuration of one file, r.conf in the current folder, as ratekit-api does."""
    monkeypatch.chdir(tmp_path)

    def serve(text: str) -> Any:
        pathlib.Path("r.conf").write_text(text, encoding="utf-8")
        return configuration.load_for_serving("ratekit-api", ["--config-file", "r.conf"])

    return serve


def refusals(serve: Serve, text: str) -> list[str]:
    with pytest.raises(errors.OperatorError) as caught:
        serve(text)
    return str(caught.value).splitlines()


def test_the_sections_of_the_api_are_no_warning_for_the_processor(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    load(SERVED + GOOD, logs=True)
    assert capsys.readouterr().err == ""


def test_a_whole_configuration_is_taken_without_a_warning(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(SERVED + GOOD)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("auth_url = https", "auth_ulr = https", "[keystone_authtoken] auth_url: is required: "),
        ("https://keystone", "keystone", "[keystone_authtoken] auth_url: expected Keystone's URL"),
        (
            "auth_type = password",
            "auth_type = pasword",
            "[keystone_authtoken] auth_type: expected ",
        ),
        ("password = geheim", "", "[keystone_authtoken] password: is required: "),
        (
            "parsing = true",
            "parsing = maybe",
            "[oslo_middleware] enable_proxy_headers_parsing: expected true or false, not 'maybe'",
        ),
        (
            "service_type = rating",
            "memcache_pool_maxsize = many",
            "[keystone_authtoken] memcache_pool_maxsize: expected a whole number, not 'many'",
        ),
        (
            "enforce_new_defaults = true",
            "policy_file = /nowhere/policy.yaml",
            "[oslo_policy] policy_file: /nowhere/policy.yaml cannot be read",
        ),
        (
            "service_type = rating",
            "cafile = /nowhere/ca.pem",
            "[keystone_authtoken] cafile: /nowhere/ca.pem cannot be read",
        ),
    ],
)
def test_a_wrong_value_is_one_line_with_its_place(
    serve: Serve, old: str, new: str, line: str
) -> None:
    assert old in SERVED
    lines = refusals(serve, SERVED.replace(old, new))
    assert [text for text in lines if line in text and text.startswith("r.conf:")], lines


def test_tokens_need_credentials(serve: Serve) -> None:
    text = SERVED.replace("[keystone_authtoken]", "[some_other]")
    (line,) = refusals(serve, text)
    assert line == (
        "r.conf: [keystone_authtoken]: missing: ratekit-api needs credentials to ask Keystone "
        "whose a token is"
    )


def test_tokens_need_no_credentials_without_keystone(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    serve("[api]\nauth_strategy = noauth\n[database]\nconnection = sqlite:////tmp/x\n")
    assert capsys.readouterr().err == ""


def test_credentials_may_be_those_of_another_section(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    serve("[keystone_authtoken]\nauth_section = ratekit_auth\n" + GOOD)
    assert capsys.readouterr().err == ""


def test_noauth_listens_on_loopback_only(serve: Serve) -> None:
    (line,) = refusals(serve, "[api]\nhost = 0.0.0.0\nauth_strategy = noauth\n")
    assert line.startswith("r.conf:3: [api] auth_strategy: noauth needs a loopback address")


@pytest.mark.parametrize("key", ["x", "c2hvcnQ=", "a" * 43, "ü" * 44, f"{_KEY},secret-key"])
def test_keys_of_the_pages_are_checked_and_not_shown(serve: Serve, key: str) -> None:
    (line,) = refusals(serve, f"[api]\nauth_strategy = noauth\ndashboard_keys = {key}\n")
    assert line == (
        "r.conf:3: [api] dashboard_keys: expected 32 random bytes in base64 each, as "
        "'openssl rand -base64 32' writes them"
    )


@pytest.mark.parametrize("zone", ["Europe/Bonn", "Europe", "../x", "CEST", "x" * 500])
def test_the_zone_of_the_pages_is_checked(serve: Serve, zone: str) -> None:
    (line,) = refusals(serve, f"[api]\nauth_strategy = noauth\ndashboard_zone = {zone}\n")
    expected = f"expected a time zone, such as Europe/Berlin, not {zone!r}"
    assert line == f"r.conf:3: [api] dashboard_zone: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[keystone_authtoken]\nmemcached_server = x\n", "(did you mean 'memcached_servers'?)"),
        ("[cors]\nallowed_origins = x\n", "(did you mean 'allowed_origin'?)"),
        ("[oslo_policy]\npolicy_files = x\n", "(did you mean 'policy_file'?)"),
        ("[healthchek]\nbackends = x\n", "unknown section (did you mean 'healthcheck'?)"),
        ("[api]\nthraeds = 5\n", "[api] thraeds: unknown option (did you mean 'threads'?)"),
        ("[api]\nhost_ip = 0.0.0.0\n", "[api] host_ip: is CloudKitty's; use [api] host"),
        ("[api]\npecan_debug = 1\n", "[api] pecan_debug: is CloudKitty's; ratekit does not need"),
        ("[DEFAULT]\nauth_strategy = noauth\n", "is CloudKitty's; use [api] auth_strategy"),
        ("[oslo_middleware]\nmax_request_body_size = 9\n", "is CloudKitty's; use [api] max_body"),
    ],
)
def test_what_nothing_reads_is_a_warning(
    serve: Serve, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    serve(text + SERVED)
    (warning,) = capsys.readouterr().err.splitlines()
    assert expected in warning
    assert "r.conf:" in warning


@pytest.mark.parametrize("section", ["keystone_authtokens", "oslo_polcy"])
def test_a_misspelt_section_of_the_api_is_a_warning_for_the_processor(
    load: Load, capsys: pytest.CaptureFixture[str], section: str
) -> None:
    load(f"[{section}]\nx = 1\n" + GOOD, logs=True)
    assert "unknown section (did you mean " in capsys.readouterr().err


def test_options_of_the_processor_alone_are_no_warning_for_the_api(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {opt.dest for opt in option_catalog.library_opts("oslo.service.service")}
    assert names == option_catalog.PROCESSOR_DEFAULTS
    serve("[DEFAULT]\ngraceful_shutdown_timeout = 5\n" + SERVED + GOOD)
    assert capsys.readouterr().err == ""
