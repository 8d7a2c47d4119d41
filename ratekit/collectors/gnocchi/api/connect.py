"""Builds clients from the configuration."""

from __future__ import annotations

from typing import Any

from gnocchiclient import auth
from gnocchiclient import client as gnocchi_client

from ratekit import errors, keystone
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.options import GROUP

#: Option that has Gnocchi's URL.
_ENDPOINT = "gnocchi_endpoint"


def open_client(conf: Any) -> Client:
    """Return a client with the settings of ``[collector_gnocchi]``; opens no connection.

    :raises ratekit.errors.OperatorError: the section does not say how to authenticate
    """
    section = conf[GROUP]
    if section.gnocchi_auth_type == "basic":
        if not section.gnocchi_endpoint or not section.gnocchi_user:
            raise errors.OperatorError(
                f"[{GROUP}] gnocchi_auth_type = basic requires gnocchi_endpoint and gnocchi_user"
            )
        basic = auth.GnocchiBasicPlugin(section.gnocchi_user, section.gnocchi_endpoint)
        session = keystone.open_session(conf, GROUP, basic, _ENDPOINT)
    else:
        session = keystone.open_session(conf, GROUP, endpoint_option=_ENDPOINT)
    api = gnocchi_client.SessionClient(
        session,
        service_type="metric",
        interface=section.interface,
        region_name=section.region_name,
        endpoint_override=section.gnocchi_endpoint,
        connect_retries=1,
    )
    return Client(api)


def offline_client(conf: Any) -> Client:
    """Return a client that cannot reach Gnocchi, for use without requests."""
    basic = auth.GnocchiBasicPlugin("nobody", "http://gnocchi.invalid")
    return Client(gnocchi_client.SessionClient(keystone.open_session(conf, GROUP, basic)))
