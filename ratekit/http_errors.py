"""Errors of HTTP services: how long to wait before a retry, and the cause in one line."""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Mapping

from ratekit.domain.schedule.backoff import MAX_AFTER
from ratekit.redact import redact_urls

# How requests and urllib3 wrap a failed connection, and the cause inside.
_POOL = re.compile(r"(: HTTPS?ConnectionPool\()")
_CAUSE = re.compile(r"\[Errno -?\d+\] [\w ]+|\[SSL[^]]*\] [^()]*[^()\s]")
_SECONDS = re.compile(r"\s*(-?)([0-9]{1,18})(\.[0-9]*)?\s*\Z")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a response's Retry-After header, or None if it has no valid one.

    The header has seconds or an HTTP date; the result is at least 0 and at most
    ``MAX_AFTER``. A date is compared with the response's own Date, because clocks
    may differ.
    """
    values = {name.lower(): value for name, value in headers.items()}
    text = values.get("retry-after", "")
    match = _SECONDS.match(text)
    if match:
        seconds = 0.0 if match[1] else float(match[2] + (match[3] or ""))
    else:
        until = parse_date(text)
        if until is None:
            return None
        since = parse_date(values.get("date", "")) or datetime.datetime.now(datetime.UTC)
        seconds = (until - since).total_seconds()
    return min(max(seconds, 0.0), MAX_AFTER)


def parse_date(text: str) -> datetime.datetime | None:
    """Return the instant of a header such as Date, aware, or None if it has no valid one."""
    try:
        instant = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=datetime.UTC)


def summarize(error: BaseException) -> str:
    """Return an error's text on one line, without secrets and the names of Python classes."""
    text = redact_urls(" ".join(str(error).split())) or type(error).__name__
    match = _POOL.search(text)
    if not match:
        return text
    cause = _CAUSE.search(text, match.end())
    head = text[: match.start()]
    return f"{head} ({cause[0]})" if cause else head
