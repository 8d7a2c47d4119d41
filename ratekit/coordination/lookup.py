"""Looks at a group from outside."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Mapping

from ratekit import errors
from ratekit.coordination.member import connect, describe, read_members
from ratekit.coordination.service_url import ServiceUrl


def look_up(service: ServiceUrl, seconds: float) -> Mapping[str, int]:
    """Return the number of workers of each daemon in the group, by name.

    :param seconds: time for all requests together
    :raises ratekit.errors.TryLater: the service did not answer; says why
    """
    members: dict[str, int] = {}
    failures = ["no reply"]

    def ask() -> None:
        try:
            coordinator = connect(service, f"status {secrets.token_hex(4)}")
            members.update(read_members(coordinator, service.group))
            failures.clear()
        except Exception as error:  # noqa: BLE001 - drivers raise errors of several libraries
            failures[:] = [describe(error)]
            return
        with contextlib.suppress(Exception):
            coordinator.stop()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise errors.TryLater(
            f"the coordination service {service.scheme} does not answer: {failures[0]}"
        )
    return dict(members)
