"""keystoneauth's options of a section, checked before Keystone is asked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from keystoneauth1 import exceptions, loading
from oslo_config import cfg

from ratekit import errors, keystone
from ratekit.conf.checking.middleware import TOKENS
from ratekit.conf.checking.source import Content
from ratekit.conf.checking.values import find_wrong_values
from ratekit.interfaces import KeystoneClient

#: What is expected where a required option is missing.
_EXPECTED = {
    "auth_url": "Keystone's URL, such as https://keystone.example/v3",
    "username": "the name of ratekit's own user, or user_id",
    "password": "the password of ratekit's own user",
    "application_credential_secret": "the secret of the application credential",
}
_NEEDS_TOKENS = "missing: ratekit-api needs credentials to ask Keystone whose a token is"
_PASSWORD = ("password", "v3password")
_USER_DOMAIN = (
    "user_domain_id", "user_domain_name", "default_domain_id", "default_domain_name", "domain_id",
    "domain_name",
)  # fmt: skip
_TARGET = ("project_id", "project_name", "system_scope", "trust_id", "domain_id", "domain_name")
_PROJECT_DOMAIN = (
    "project_domain_id", "project_domain_name", "default_domain_id", "default_domain_name",
)  # fmt: skip


def find_mistakes(
    conf: Any, content: Content, plugins: Sequence[Any], wrong: Collection[str]
) -> list[errors.Mistake]:
    """Return the mistakes in the credentials that plug-ins are going to use, each once.

    :param conf: a loaded ``ConfigOpts`` with the options of the plug-ins
    :param wrong: keys of options that are wrong for another reason
    """
    mistakes: list[errors.Mistake] = []
    sections: list[str] = []
    for group in sections_in_use(conf, plugins):
        mistakes += _check_files(conf, group, content)
        section = conf[group].auth_section or group
        if section == TOKENS and not _exists(section, content):
            mistakes.append(content.mistake(section, "", _NEEDS_TOKENS))
        elif section == group or _exists(section, content):
            sections.append(section)
        else:
            names = {name for _, _, name in content.sections}
            text = f"there is no section [{section}]{errors.suggestion(section, names)}"
            mistakes.append(content.mistake(group, "auth_section", text))
    for section in dict.fromkeys(sections):
        mistakes += _check_section(conf, section, content)
    return [mistake for mistake in dict.fromkeys(mistakes) if mistake.key not in wrong]


def sections_in_use(conf: Any, plugins: Sequence[Any]) -> list[str]:
    """Return the sections of plug-ins that authenticate to Keystone."""
    sections: list[str] = []
    for plugin in plugins:
        # Whether it authenticates may depend on a wrong value, which is a mistake of its own.
        with contextlib.suppress(cfg.Error):
            if isinstance(plugin, KeystoneClient):
                sections += plugin.credential_sections(conf)
    return sections


def option_sections(conf: Any, plugins: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the sections that have the credentials of plug-ins, and their options."""
    for group in sections_in_use(conf, plugins):
        # What cannot be read is reported as a mistake.
        with contextlib.suppress(cfg.Error, exceptions.NoMatchingPlugin):
            section = conf[group].auth_section or group
            yield section, _register_options(conf, section)


def _check_files(conf: Any, group: str, content: Content) -> Iterator[errors.Mistake]:
    for name in ("cafile", "certfile", "keyfile"):
        path = conf[group][name]
        if path and not os.access(path, os.R_OK):
            yield content.mistake(group, name, f"{path} cannot be read; expected a PEM file")


def _exists(section: str, content: Content) -> bool:
    variables = f"OS_{section}__".upper()
    return content.has(section) or any(key.startswith(variables) for key in os.environ)


def _register_options(conf: Any, section: str) -> list[Any]:
    """Register the options of the section's authentication plug-in; return them.

    :raises keystoneauth1.exceptions.NoMatchingPlugin: auth_type names none
    """
    opts: list[Any] = loading.get_auth_common_conf_options()
    conf.register_opts(opts, group=section)
    auth_type = conf[section].auth_type
    if auth_type:
        opts = [*opts, *loading.get_auth_plugin_conf_options(auth_type)]
        conf.register_opts(opts, group=section)
    return opts


def _check_section(conf: Any, section: str, content: Content) -> Iterator[errors.Mistake]:
    try:
        opts = _register_options(conf, section)
    except (exceptions.NoMatchingPlugin, cfg.Error):
        yield content.mistake(section, "auth_type", _unknown_type_text(conf, section))
        return
    yield from find_wrong_values(conf, content, section, opts)
    values = {opt.dest: _read_value(conf, section, opt.dest) for opt in opts}
    if not values["auth_type"]:
        text = "is required: how to authenticate, e.g. 'password'"
        yield content.mistake(section, "auth_type", text)
        return
    missing = [content.mistake(section, name, text) for name, text in _find_missing(opts, values)]
    yield from missing or _try_plugin(conf, section, content)


def _unknown_type_text(conf: Any, section: str) -> str:
    names = sorted(loading.get_available_plugin_names())
    auth_type = str(_read_value(conf, section, "auth_type"))
    hint = errors.suggestion(auth_type, names) or "; known: " + ", ".join(names)
    return (
        f"expected the name of an authentication plug-in, e.g. 'password', not {auth_type!r}{hint}"
    )


def _read_value(conf: Any, section: str, name: str) -> Any:
    try:
        return conf[section][name]
    except cfg.Error:
        return "unknown"  # reported as a wrong value


def _find_missing(opts: Sequence[Any], values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the plug-in requires, and what a password needs beside it."""
    required = [opt.dest for opt in opts if opt.required]
    if values["auth_type"] in _PASSWORD:
        required = ["auth_url", "username", "password"]
    for name in required:
        if not values.get(name) and not (name == "username" and values.get("user_id")):
            yield name, f"is required: {_EXPECTED.get(name, 'a value')}"
    url = values.get("auth_url")
    if url and not keystone.is_web_url(url):
        yield "auth_url", f"expected {_EXPECTED['auth_url']}"
    if values["auth_type"] not in _PASSWORD:
        return
    has_user_domain = _has_any(values, _USER_DOMAIN) or values.get("user_id")
    if values.get("username") and not has_user_domain:
        yield "user_domain_name", "is required beside username: e.g. 'Default', or user_domain_id"
    if not _has_any(values, _TARGET):
        yield (
            "project_name",
            "is required: the project on which the user has its role, or project_id",
        )
    elif values.get("project_name") and not _has_any(values, _PROJECT_DOMAIN):
        yield (
            "project_domain_name",
            "is required beside project_name: e.g. 'Default', or project_domain_id",
        )


def _has_any(values: Mapping[str, Any], names: Sequence[str]) -> bool:
    return any(values.get(name) for name in names)


def _try_plugin(conf: Any, section: str, content: Content) -> Iterator[errors.Mistake]:
    """Yield the mistake that the plug-in itself reports; it opens no connection."""
    try:
        loading.load_auth_from_conf_options(conf, section)
    except exceptions.AuthPluginException as error:
        yield content.mistake(section, "", " ".join(str(error).split()))
    except cfg.Error:
        return  # reported as a wrong value
