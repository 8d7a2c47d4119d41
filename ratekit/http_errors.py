"""What HTTP services say when they do not answer: how long to wait, and why, in one line."""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Mapping

from ratekit.redact import redacted

#: Longest rest that a back end may ask for, in seconds: nobody means more, and a proxy that
#: says "next year" may not stop the rating.
LONGEST_REST = 3600.0
# How requests and urllib3 dress a failed connection, and what is inside.
_POOL = re.compile(r"(: HTTPS?ConnectionPool\()")
_CAUSE = re.compile(r"\[Errno -?\d+\] [\w ]+|\[SSL[^]]*\] [^()]*[^()\s]")
_SECONDS = re.compile(r"\s*(-?)([0-9]{1,18})(\.[0-9]*)?\s*\Z")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds an answer asks to be left alone, by its Retry-After header.

    Seconds or an HTTP date, at least 0 and at most :data:`LONGEST_REST`; None: it asks for
    nothing, or for nothing that can be understood. A date is taken against the answer's own
    Date, so that the clocks may differ.
    """
    named = {name.lower(): value for name, value in headers.items()}
    text = named.get("retry-after", "")
    match = _SECONDS.match(text)
    if match:
        rest = 0.0 if match[1] else float(match[2] + (match[3] or ""))
    else:
        until = _http_date(text)
        if until is None:
            return None
        since = _http_date(named.get("date", "")) or datetime.datetime.now(datetime.UTC)
        rest = (until - since).total_seconds()
    return min(max(rest, 0.0), LONGEST_REST)


def _http_date(text: str) -> datetime.datetime | None:
    try:
        instant = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=datetime.UTC)


def one_line(error: BaseException) -> str:
    """Return an error's text on one line, without secrets and the names of Python's wrappers."""
    text = redacted(" ".join(str(error).split())) or type(error).__name__
    head, wrapper, rest = _POOL.split(text, maxsplit=1) if _POOL.search(text) else (text, "", "")
    if not wrapper:
        return text
    cause = _CAUSE.search(rest)
    return f"{head} ({cause[0]})" if cause else head
