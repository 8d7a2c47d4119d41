"""The clocks of HTTP services, which every response shows."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import requests

from ratekit import http_errors
from ratekit.domain.schedule.clocks import ClockReading

_SECOND = datetime.timedelta(seconds=1)


def read(name: str, send: Callable[[], requests.Response]) -> ClockReading | None:
    """Send a request and compare the Date of its response with this host's clock.

    :param name: whose clock it is, for messages
    :returns: None if the response has no date, or comes from a cache
    """
    before = datetime.datetime.now(datetime.UTC)
    response = send()
    after = datetime.datetime.now(datetime.UTC)
    instant = http_errors.parse_date(response.headers.get("Date", ""))
    if instant is None or "Age" in response.headers:
        return None
    return ClockReading.between(name, before, instant, after, resolution=_SECOND)
