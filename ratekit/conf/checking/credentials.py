"""keystoneauth's options of a section, checked before Keystone is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import exceptions, loading
from oslo_config import cfg

from ratekit import errors
from ratekit.conf import keystone_auth
from ratekit.conf.checking.source import Content, normal

#: What is expected where a required option is missing.
_EXPECTED = {
    "auth_url": "Keystone's URL, such as https://keystone.example/v3",
    "username": "the name of ratekit's own user, or user_id",
    "password": "the password of ratekit's own user",
    "application_credential_secret": "the secret of the application credential",
}
_PASSWORD = ("password", "v3password")
_USER_DOMAIN = (
    "user_domain_id", "user_domain_name", "default_domain_id", "default_domain_name", "domain_id",
    "domain_name",
)  # fmt: skip
_TARGET = ("project_id", "project_name", "system_scope", "trust_id", "domain_id", "domain_name")
_PROJECT_DOMAIN = (
    "project_domain_id", "project_domain_name", "default_domain_id", "default_domain_name",
)  # fmt: skip


def section(conf: Any, group: str, content: Content, found: list[errors.Mistake]) -> str | None:
    """Return the section in which the credentials of ``group`` stand.

    :param found: takes what is wrong with the group's own connection settings
    :returns: None where ``auth_section`` names a section that no file has
    """
    for name in ("cafile", "certfile", "keyfile"):
        path = conf[group][name]
        if path and not os.access(path, os.R_OK):
            text = f"{path} cannot be read; expected a PEM file"
            found.append(content.mistake(group, name, text))
    named: str | None = conf[group].auth_section
    if not named:
        return group
    if not content.has(named) and not any(
        key.startswith(f"OS_{named}__".upper()) for key in os.environ
    ):
        known = {section for _, _, section in content.sections}
        text = f"there is no section [{named}]{errors.nearest(named, known)}"
        found.append(content.mistake(group, "auth_section", text))
        return None
    return named


def plugin_opts(conf: Any, section: str) -> list[Any]:
    """Return the options of the section's authentication plug-in, registered on ``conf``.

    :raises keystoneauth1.exceptions.NoMatchingPlugin: auth_type names none
    """
    common = loading.get_auth_common_conf_options()
    conf.register_opts(common, group=section)
    kind = conf[section].auth_type
    if not kind:
        return common
    opts = loading.get_auth_plugin_conf_options(kind)
    conf.register_opts(opts, group=section)
    return [*common, *opts]


def mistakes(conf: Any, section: str, content: Content) -> tuple[list[Any], list[errors.Mistake]]:
    """Return a section's options of authentication, and what is missing among them."""
    try:
        opts = plugin_opts(conf, section)
    except (exceptions.NoMatchingPlugin, cfg.Error):
        return [], [content.mistake(section, "auth_type", _unknown(conf, section))]
    given = {opt.dest: _value(conf, section, opt.dest) for opt in opts}
    if not given.get("auth_type"):
        text = "is required: how to authenticate, e.g. 'password'"
        return opts, [content.mistake(section, "auth_type", text)]
    found = [
        content.mistake(section, name, text + _misspelt(content, section, name, given))
        for name, text in _lacking(opts, given)
    ]
    return opts, found or list(_refused(conf, section, content))


def _unknown(conf: Any, section: str) -> str:
    known = sorted(loading.get_available_plugin_names())
    name = str(_value(conf, section, "auth_type"))
    hint = errors.nearest(name, known)
    text = hint or "; known: " + ", ".join(known)
    return f"expected the name of an authentication plug-in, e.g. 'password', not {name!r}{text}"


def _value(conf: Any, section: str, name: str) -> Any:
    try:
        return conf[section][name]
    except cfg.Error:
        return "unknown"  # wrong in a way that is told elsewhere


def _lacking(opts: list[Any], given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the plug-in cannot do without, and what a password needs beside it."""
    required = [opt.dest for opt in opts if opt.required]
    if given["auth_type"] in _PASSWORD:
        required = ["auth_url", "username", "password"]
    for name in required:
        if not given.get(name) and not (name == "username" and given.get("user_id")):
            yield name, f"is required: {_EXPECTED.get(name, 'a value')}"
    url = given.get("auth_url")
    if url and not keystone_auth.is_web(url):
        yield "auth_url", f"expected {_EXPECTED['auth_url']}"
    if given["auth_type"] not in _PASSWORD:
        return
    if given.get("username") and not _any(given, _USER_DOMAIN) and not given.get("user_id"):
        yield "user_domain_name", "is required beside username: e.g. 'Default', or user_domain_id"
    if not _any(given, _TARGET):
        yield (
            "project_name",
            "is required: the project on which the user has its role, or project_id",
        )
    elif given.get("project_name") and not _any(given, _PROJECT_DOMAIN):
        yield (
            "project_domain_name",
            "is required beside project_name: e.g. 'Default', or project_domain_id",
        )


def _misspelt(content: Content, section: str, name: str, given: dict[str, Any]) -> str:
    """Tell of an unknown option of the section that may be meant for ``name``."""
    for entry in content.entries:
        unknown = normal(entry.group) == normal(section) and entry.name not in given
        if unknown and errors.nearest(name, [entry.name]):
            return f"; line {entry.line} has {entry.name!r}"
    return ""


def _any(given: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(given.get(name) for name in names)


def _refused(conf: Any, section: str, content: Content) -> Iterator[errors.Mistake]:
    """Yield what the plug-in itself finds wrong; it opens no connection."""
    try:
        loading.load_auth_from_conf_options(conf, section)
    except exceptions.AuthPluginException as error:
        yield content.mistake(section, "", " ".join(str(error).split()))
    except cfg.Error:
        return  # a wrong value, which is told with the other values
