"""The options that say which frames a report is about."""

from __future__ import annotations

import argparse
import datetime
import zoneinfo
from collections.abc import Sequence

from ratekit import errors
from ratekit.cmd import formatting
from ratekit.domain.reports import Selection
from ratekit.interfaces import Reports


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`selection` and :func:`zone` read."""
    parser.add_argument(
        "--begin",
        metavar="TIME",
        help="first instant, ISO 8601, in the time zone of --timezone unless it says another; "
        "by default the begin of this month",
    )
    parser.add_argument(
        "--end", metavar="TIME", help="first instant that is no longer meant; by default now"
    )
    parser.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="SCOPE",
        help="only this scope, by id or name; may be repeated",
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME",
        help="only this metric, by its public name; may be repeated",
    )
    parser.add_argument(
        "--timezone",
        default="UTC",
        metavar="ZONE",
        help="time zone of what is given and shown, such as Europe/Berlin; by default UTC",
    )


def zone(name: str) -> datetime.tzinfo:
    """Return a time zone.

    :raises ratekit.errors.OperatorError: there is none of this name
    """
    if name == "UTC":
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no relative path, a folder of zones
        hint = errors.nearest(name, zoneinfo.available_timezones())
        raise errors.OperatorError(
            f"--timezone: expected a name such as Europe/Berlin or UTC, not {name!r}{hint}"
        ) from None


def selection(
    options: argparse.Namespace,
    reports: Reports,
    timezone: datetime.tzinfo,
    now: datetime.datetime,
) -> Selection:
    """Return what the options select.

    :raises ratekit.errors.OperatorError: a time, a stretch of time or a scope is none
    """
    month = now.astimezone(timezone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begin = _instant("--begin", options.begin, timezone) or month.astimezone(datetime.UTC)
    end = _instant("--end", options.end, timezone) or now
    if begin >= end:
        first, last = (formatting.instant_text(one, timezone) for one in (begin, end))
        default = " (the default)"
        raise errors.OperatorError(
            f"--begin {first}{'' if options.begin else default} is not before "
            f"--end {last}{'' if options.end else default}"
        )
    return Selection(begin, end, _scopes(options.scope, reports), tuple(options.metric))


def _instant(option: str, text: str | None, timezone: datetime.tzinfo) -> datetime.datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.datetime.fromisoformat(text)
        if instant.utcoffset() is None:
            instant = instant.replace(tzinfo=timezone)
        return instant.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise errors.OperatorError(
            f"{option}: expected a date or time such as 2026-01-31 or 2026-01-31T12:00, "
            f"not {text!r}"
        ) from None


def _scopes(words: Sequence[str], reports: Reports) -> tuple[str, ...]:
    """Return the ids of scopes that are given by id or name."""
    if not words:
        return ()
    names: dict[str, list[str]] = {}
    rows = reports.scopes()
    for row in rows:
        names.setdefault(row.name, []).append(row.id)
    ids = {row.id for row in rows}
    found = []
    for word in words:
        matches = [word] if word in ids else names.get(word, [])
        if len(matches) != 1:
            several = f"{len(matches)} scopes are named {word!r}: {', '.join(matches)}"
            none = f"no scope {word!r}; see ratekit scope list --all"
            raise errors.OperatorError(f"--scope: {several if matches else none}")
        found += matches
    return tuple(found)
