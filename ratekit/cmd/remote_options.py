"""The options that let a command ask an API, in place of a database."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

#: keystoneauth's names of what clouds and users are described by.
_NAMES = (
    "auth_type", "endpoint", "username", "user_id", "password", "user_domain_name",
    "user_domain_id", "project_name", "project_id", "project_domain_name", "project_domain_id",
    "application_credential_id", "application_credential_secret", "token", "region_name",
    "interface", "cacert", "cert", "key", "system_scope", "rating_endpoint_override",
)  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; keystoneauth, which takes long to import, knows more of them."""
    group = parser.add_argument_group(
        "the API in place of the database, for summary, report (CSV), quote, explain, scope list, "
        "scope show, hashmap plan"
    )
    group.add_argument("--os-cloud", metavar="NAME", help="a cloud of clouds.yaml")
    group.add_argument(
        "--os-auth-url",
        metavar="URL",
        help="Keystone; with --os-username, --os-password, --os-project-name and others, as "
        "OpenStack's clients have them, or the environment's OS_USERNAME and so on",
    )
    for name in _NAMES:
        group.add_argument(f"--os-{name.replace('_', '-')}", help=argparse.SUPPRESS)


def read(options: argparse.Namespace) -> Mapping[str, str]:
    """Return what was given, by keystoneauth's names; empty: use the database."""
    return {
        name: value
        for name in ("cloud", "auth_url", *_NAMES)
        if (value := getattr(options, f"os_{name}")) is not None
    }
