"""The options that say which frames a report is about."""

from __future__ import annotations

import argparse
import datetime
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit import errors
from ratekit.admin import scope
from ratekit.cmd.output import cells
from ratekit.domain import exact
from ratekit.domain.reporting.reports import Selection
from ratekit.domain.schedule.calendar import parse_instant
from ratekit.interfaces import Reports

#: Keys of ``--groupby`` that are no labels.
KEYS = ("scope", "metric", "hour", "day", "month")


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
        first, last = (cells.instant_text(one, timezone) for one in (begin, end))
        default = " (the default)"
        raise errors.OperatorError(
            f"--begin {first}{'' if options.begin else default} is not before "
            f"--end {last}{'' if options.end else default}"
        )
    return Selection(begin, end, _scopes(options.scope, reports), tuple(options.metric))


def require_known(
    reports: Reports, section: Any, metrics: Sequence[str], labels: Sequence[str] = ()
) -> None:
    """Refuse metrics and labels that neither metrics.yml nor any frame has.

    :param section: the configuration's [collect]
    :param labels: what ``--groupby`` names beside its own keys
    :raises ratekit.errors.OperatorError: with a line for each that is unknown
    """
    from ratekit.files import metrics_file

    known = {
        name: set(own)
        for name, own in metrics_file.labels(section.metrics_conf, section.scope_key).items()
    }
    if known.keys() >= set(metrics) and set().union(*known.values()) >= set(labels):
        return
    # Only now, since it reads through all labels that were ever stored.
    for name, own in reports.labels().items():
        known.setdefault(name, set()).update(own)
    if not known:
        return  # nothing to tell right from wrong by
    keys = {*KEYS, *set().union(*known.values())}
    wrong = [
        f"--metric: no metric is called {name!r}{_instead(name, known)}"
        for name in metrics
        if name not in known
    ]
    wrong += [
        f"--groupby: {name!r} is neither {', '.join(KEYS)} nor a label of any metric"
        f"{errors.nearest(name, keys)}"
        for name in labels
        if name not in keys
    ]
    if wrong:
        raise errors.OperatorError("\n".join(wrong))


def _instead(name: str, known: Collection[str]) -> str:
    return errors.nearest(name, known) or f"; there are: {', '.join(sorted(known))}"


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
    rows = reports.scopes()
    try:
        return tuple(scope.find(rows, word).id for word in words)
    except errors.OperatorError as error:
        raise errors.OperatorError(f"--scope: {error}") from None


_DAY = datetime.timedelta(days=1)
#: Digits before the point that a stored quantity has.
_WHOLE = 47


def instant(option: str, text: str) -> datetime.datetime:
    """Read an ISO 8601 date or time, in UTC unless it says another zone.

    :raises ratekit.errors.OperatorError: it is none, or the last day there is
    """
    try:
        found = parse_instant(text)
        # What is asked about it is asked about its day.
        _ = found + _DAY
    except ValueError:
        raise errors.OperatorError(
            f"{option}: expected a date or time such as 2026-01-31T12:00, not {text!r}"
        ) from None
    except OverflowError:
        # Only the first and the last day there are can be on the other side of an edge.
        way = "back" if text.startswith("0") else "ahead"
        raise errors.OperatorError(f"{option}: {text!r} is too far {way}") from None
    return found


def labels(texts: Sequence[str]) -> Mapping[str, str]:
    """Read labels such as ``flavor_name=m1.small``.

    :raises ratekit.errors.OperatorError: one is none, or is there twice
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise errors.OperatorError(
                f"--label: expected NAME=VALUE such as flavor_name=m1.small, not {text!r}"
            )
        if name in found:
            raise errors.OperatorError(f"--label: {name!r} is given twice")
        found[name] = value
    return found


def quantity(option: str, text: str) -> Decimal:
    """Read a quantity as exactly as it would be stored.

    :raises ratekit.errors.OperatorError: it is none
    """
    if exact.NUMBER.match(text):
        found = Decimal(text).normalize(exact.EXACT)
        _, digits, exponent = found.as_tuple()
        assert isinstance(exponent, int), "a number is finite"
        if -exponent <= exact.QUANTITY_PLACES and len(digits) + exponent <= _WHOLE:
            return found
    raise errors.OperatorError(
        f"{option}: expected a decimal number with at most {_WHOLE} digits before the point and "
        f"{exact.QUANTITY_PLACES} after it, not {text!r}"
    )
