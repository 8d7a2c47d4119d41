"""What a Keystone answers, for a stub server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keystoneauth1 import loading
from oslo_config import cfg

from ratekit import conf as core
from ratekit import plugins
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.fetchers.keystone import KeystoneFetcher
from tests.stub_server import StubResponse, StubServer

ASSIGNMENTS = "/v3/role_assignments"
PROJECTS = "/v3/projects"
TOKENS = "/v3/auth/tokens"
#: Id of ratekit's own user.
ME = "0123456789abcdef0123456789abcdef"


def respond(server: StubServer, endpoints: Sequence[dict[str, Any]]) -> None:
    """Make a server respond as a Keystone with this service catalogue."""
    version = {
        "id": "v3.14",
        "status": "stable",
        "links": [{"rel": "self", "href": f"{server.url}/v3/"}],
        "media-types": [],
    }
    catalog = [
        {"type": endpoint["type"], "name": endpoint["type"], "endpoints": [endpoint]}
        for endpoint in endpoints
    ]
    token = {
        "user": {"id": ME, "name": "rater", "domain": {"id": "default", "name": "Default"}},
        "methods": ["password"],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2999-01-01T00:00:00.000000Z",
        "catalog": catalog,
    }
    server.respond("/", StubResponse({"versions": {"values": [version]}}, 300))
    server.respond("/v3", StubResponse({"version": version}))
    server.respond("/v3/", StubResponse({"version": version}))
    server.respond(TOKENS, StubResponse({"token": token}, 201, (("X-Subject-Token", "secret"),)))


def endpoint(
    url: str, region: str = "one", interface: str = "public", kind: str = "identity"
) -> dict[str, Any]:
    """An endpoint of the service catalogue."""
    return {
        "interface": interface, "region": region, "region_id": region, "url": url, "type": kind,
    }  # fmt: skip


def assignment(project: str, role: str = "rating", name: str | None = None) -> dict[str, Any]:
    """A role of ratekit's own user on a project."""
    return {
        "role": {"id": f"id of {role}", "name": role},
        "user": {"id": ME, "name": "rater"},
        "scope": {"project": {"id": project, "name": name or f"project {project}"}},
        "links": {},
    }


def plug_in_conf(group: str, auth_url: str, section: str = "", **settings: Any) -> Any:
    """Return a configuration in which a section authenticates by password.

    :param section: the section that has the credentials; by default the same
    """
    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    for plugin in (KeystoneFetcher, GnocchiCollector):
        plugins.register_options(conf, plugin)
    conf([], project="ratekit", default_config_files=[], default_config_dirs=[])
    if section:
        conf.set_override("auth_section", section, group=group)
    credentials = {
        "auth_type": "password", "auth_url": auth_url, "username": "rater", "password": "secret",
        "project_name": "service", "user_domain_id": "default", "project_domain_id": "default",
    }  # fmt: skip
    # Registered by the auth plug-in only when it is loaded.
    opts = [
        *loading.get_auth_common_conf_options(),
        *loading.get_auth_plugin_conf_options("password"),
    ]
    conf.register_opts(opts, group=section or group)
    for name, value in credentials.items():
        conf.set_override(name, value, group=section or group)
    for name, value in settings.items():
        conf.set_override(name, value, group=group)
    return conf
