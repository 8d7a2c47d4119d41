"""The options of the libraries around the API: who sends a request, from where, and may they?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ratekit import plugins
from ratekit.conf import api

TOKENS = "keystone_authtoken"
_POLICY = "oslo_policy"
#: By their names among the entry points of oslo.config.
_LIBRARIES = (
    "keystonemiddleware.auth_token",
    "oslo.middleware.cors",
    "oslo.middleware.healthcheck",
    "oslo.middleware.http_proxy_to_wsgi",
    "oslo.policy",
)


class Middleware:
    """Declares and checks these options as a plug-in does its own."""

    @classmethod
    def options(cls) -> Mapping[str, Sequence[Any]]:
        """Return the options by section."""
        points = {point.name: point for point in plugins.list_entry_points(plugins.LIBRARY_OPTIONS)}
        return {
            section: opts
            for name in _LIBRARIES
            for section, opts in points[name].load()()
            if section in api.MIDDLEWARE
        }

    @classmethod
    def credential_sections(cls, conf: Any) -> Sequence[str]:
        """Return the section with which Keystone is asked whose a token is."""
        return [TOKENS] if conf.api.auth_strategy == "keystone" else []

    @classmethod
    def check_conf(cls, conf: Any) -> Iterator[tuple[str, str, str]]:
        """Yield (section, option, what is expected) where a file of policies is missing."""
        name = conf[_POLICY].policy_file
        path = conf.find_file(name) or name
        if _is_set(conf) and not os.access(path, os.R_OK):
            yield _POLICY, "policy_file", f"{name} cannot be read; expected a YAML file of policies"


def _is_set(conf: Any) -> bool:
    """Return whether the operator names a file of policies: the default may be missing."""
    location: Any = conf.get_location("policy_file", _POLICY)
    return bool(location.location.is_user_controlled)
