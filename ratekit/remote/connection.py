"""Sessions with an API, as OpenStack's clients make them: clouds.yaml, options, environment."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import openstack.config
from keystoneauth1 import adapter, exceptions
from openstack.exceptions import ConfigException

from ratekit import errors
from ratekit.redact import redact_urls

#: Type of the API in the service catalogue.
SERVICE = "rating"
_WITH_PASSWORD = frozenset({"password", "v3password"})


def connect(options: Mapping[str, str]) -> adapter.Adapter:
    """Return what sends requests to the API; opens no connection.

    :param options: keystoneauth's by their names, such as ``auth_url``, and ``cloud``: a cloud of
        clouds.yaml; what is missing comes from the environment
    :raises ratekit.errors.OperatorError: they do not fit together
    """
    try:
        # Another cloud's credentials are not completed from a clouds.yaml that nobody named.
        loader = openstack.config.OpenStackConfig(
            load_yaml_config="cloud" in options, app_name="ratekit"
        )
        region = loader.get_one(
            argparse=argparse.Namespace(**{f"os_{key}": text for key, text in options.items()})
        )
        _require_password(region.config)
        return adapter.Adapter(
            region.get_session(),
            service_type=SERVICE,
            interface=region.get_interface(SERVICE),
            region_name=region.get_region_name(SERVICE),
            endpoint_override=region.get_endpoint(SERVICE),
        )
    except (ConfigException, exceptions.ClientException) as error:
        text = " ".join(redact_urls(str(error)).split())
        raise errors.OperatorError(f"cannot use the API: {text}") from None


def _require_password(settings: Mapping[str, Any]) -> None:
    """Refuse what keystoneauth would notice with a traceback only.

    :raises ratekit.errors.OperatorError: there is no password, but a name to go with it
    """
    if settings["auth_type"] in _WITH_PASSWORD and not settings["auth"].get("password"):
        raise errors.OperatorError(
            "cannot use the API: there is no password; use --os-password or OS_PASSWORD"
        )
