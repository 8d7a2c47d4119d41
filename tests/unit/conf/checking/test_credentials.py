"""Credentials that cannot work are reported before Keystone is asked."""

from __future__ import annotations

import pytest

from tests.unit.conf.conftest import GOOD, Refusals

KEY = "[ratekit_auth]"


def without(*names: str) -> str:
    lines = (line for line in GOOD.splitlines() if line.split(" ")[0] not in names)
    return "\n".join(lines) + "\n"


def test_good_credentials_are_accepted(refusals: Refusals) -> None:
    assert refusals(GOOD) == []


def test_a_missing_auth_type_is_reported_once_for_both_sections(refusals: Refusals) -> None:
    assert refusals(without("auth_type")) == [
        f"r.conf:5: {KEY} auth_type: is required: how to authenticate, e.g. 'password'"
    ]
    assert [line.split(" ")[1] for line in refusals("[collect]\nperiod = 60\n")] == [
        "[fetcher_keystone]",
        "[collector_gnocchi]",
    ]


def test_a_misspelt_auth_type_is_reported_with_the_nearest(refusals: Refusals) -> None:
    assert refusals(GOOD.replace("= password", "= pasword")) == [
        f"r.conf:6: {KEY} auth_type: expected the name of an authentication plug-in, e.g. "
        "'password', not 'pasword' (did you mean 'password'?)"
    ]
    (line,) = refusals(GOOD.replace("= password", "= x.509"))
    assert "v3applicationcredential" in line


def test_all_missing_options_are_reported_together(refusals: Refusals) -> None:
    assert refusals(without("auth_url", "username", "password", "project_name")) == [
        f"r.conf:5: {KEY} auth_url: is required: Keystone's URL, such as "
        "https://keystone.example/v3",
        f"r.conf:5: {KEY} username: is required: the name of ratekit's own user, or user_id",
        f"r.conf:5: {KEY} password: is required: the password of ratekit's own user",
        f"r.conf:5: {KEY} project_name: is required: the project on which the user has its role, "
        "or project_id",
    ]


@pytest.mark.parametrize(
    ("missing", "name", "hint"),
    [
        ("user_domain_name", "user_domain_name", "'Default', or user_domain_id"),
        ("project_domain_name", "project_domain_name", "'Default', or project_domain_id"),
    ],
)
def test_a_name_needs_its_domain(missing: str, name: str, hint: str, refusals: Refusals) -> None:
    (line,) = refusals(without(missing))
    assert line.startswith(f"r.conf:5: {KEY} {name}: is required beside ")
    assert line.endswith(hint)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("username = ratekit\n", "user_id = 5f1c\n"),
        ("project_name = service\nuser_domain_name = Default\nproject_domain_name = Default\n",
         "project_id = 5f1c\nuser_domain_id = default\n"),
        ("project_name = service\n", "system_scope = all\n"),
        ("user_domain_name = Default\nproject_domain_name = Default\n",
         "default_domain_id = default\n"),
        ("username =", "user_name ="),
        ("auth_type", "auth_plugin"),
        (GOOD[GOOD.index("auth_type"):],
         "auth_type = v3applicationcredential\nauth_url = http://k/v3\n"
         "application_credential_id = a\napplication_credential_secret = b\n"),
    ],
)  # fmt: skip
def test_other_ways_to_authenticate_are_accepted(old: str, new: str, refusals: Refusals) -> None:
    assert old in GOOD
    assert refusals(GOOD.replace(old, new)) == []


def test_an_application_credential_needs_its_secret(refusals: Refusals) -> None:
    text = GOOD[: GOOD.index("auth_type")]
    assert refusals(f"{text}auth_type = v3applicationcredential\nauth_url = http://k/v3\n") == [
        f"r.conf:5: {KEY} application_credential_secret: is required: the secret of the "
        "application credential"
    ]
    (line,) = refusals(
        f"{text}auth_type = v3applicationcredential\nauth_url = http://k/v3\n"
        "application_credential_secret = geheim\n"
    )
    assert line.startswith(f"r.conf:5: {KEY}: ")
    assert "geheim" not in line


def test_a_misspelt_option_is_named_beside_the_missing_one(refusals: Refusals) -> None:
    assert refusals(GOOD.replace("username", "usrname")) == [
        f"r.conf:5: {KEY} username: is required: the name of ratekit's own user, or user_id",
        f"r.conf:8: {KEY} usrname: unknown option (did you mean 'username'?)",
    ]


def test_an_auth_section_that_no_file_has_is_reported_with_the_nearest(refusals: Refusals) -> None:
    assert refusals(GOOD.replace("= ratekit_auth", "= ratekit_atuh", 1)) == [
        "r.conf:2: [fetcher_keystone] auth_section: there is no section [ratekit_atuh] "
        "(did you mean 'ratekit_auth'?)"
    ]


@pytest.mark.parametrize("url", ["keystone.example", "ftp://keystone", "http://", "http://[::1"])
def test_auth_url_must_be_a_url(url: str, refusals: Refusals) -> None:
    assert refusals(GOOD.replace("https://keystone.example/v3", url)) == [
        f"r.conf:7: {KEY} auth_url: expected Keystone's URL, such as https://keystone.example/v3"
    ]


def test_certificates_must_be_readable(refusals: Refusals) -> None:
    text = GOOD.replace("[collector_gnocchi]\n", "[collector_gnocchi]\ncafile = /nowhere/ca.pem\n")
    assert refusals(text) == [
        "r.conf:4: [collector_gnocchi] cafile: /nowhere/ca.pem cannot be read; expected a PEM file"
    ]
