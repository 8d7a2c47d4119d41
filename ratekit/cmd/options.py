"""The options that several commands have, and how their values are read."""

from __future__ import annotations

import argparse
import datetime
import zoneinfo
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit import errors
from ratekit.admin import metric as metric_admin
from ratekit.admin import scope as scope_admin
from ratekit.domain import exact
from ratekit.domain.reporting.reports import Selection, StateRow
from ratekit.interfaces import Reports
from ratekit.text import local_text

#: Keys of ``--groupby`` that are not labels.
KEYS = ("scope", "metric", "hour", "day", "month")
#: How the help of an option describes a time.
TIME = "ISO 8601, UTC unless it has an offset"

_DAY = datetime.timedelta(days=1)
_NO_TIME = datetime.timedelta(0)
#: Digits before the decimal point that a stored quantity can have.
_WHOLE_DIGITS = 47
#: The largest limit or ID: databases count to 2 ** 63.
_LARGEST_DIGITS = 18
_LARGEST = 10**_LARGEST_DIGITS - 1


def add_selection_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`read_selection` and :func:`read_zone` read."""
    parser.add_argument(
        "--begin",
        metavar="TIME",
        help="start of the report, ISO 8601, in the zone of --timezone unless it has an offset; "
        "default: start of the current month",
    )
    parser.add_argument(
        "--end", metavar="TIME", help="end of the report (exclusive), like --begin; default: now"
    )
    parser.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="SCOPE",
        help="only this scope, by ID or name; may be repeated",
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
        help="time zone of options and output, such as Europe/Berlin; default: UTC",
    )


def read_zone(name: str) -> datetime.tzinfo:
    """Return the time zone of this name.

    :raises ratekit.errors.OperatorError: it does not exist
    """
    if name == "UTC":
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a relative path, a folder of zones
        hint = errors.suggestion(name, zoneinfo.available_timezones())
        raise errors.OperatorError(
            f"--timezone: expected a name such as Europe/Berlin or UTC, not {name!r}{hint}"
        ) from None


def read_selection(
    options: argparse.Namespace,
    reports: Reports,
    timezone: datetime.tzinfo,
    now: datetime.datetime,
) -> Selection:
    """Return the frames that the options select.

    :raises ratekit.errors.OperatorError: a time or a scope is wrong, or the end is not after
        the start
    """
    month = now.astimezone(timezone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begin, end = month.astimezone(datetime.UTC), now
    if options.begin is not None:
        begin = read_instant("--begin", options.begin, timezone, _NO_TIME)
    if options.end is not None:
        end = read_instant("--end", options.end, timezone, _NO_TIME)
    if begin >= end:
        default = " (the default)"
        raise errors.OperatorError(
            f"--begin {local_text(begin, timezone)}{'' if options.begin else default} is not "
            f"before --end {local_text(end, timezone)}{'' if options.end else default}"
        )
    rows = reports.scopes() if options.scope else ()
    scopes = tuple(find_scope(rows, word).id for word in options.scope)
    return Selection(begin, end, scopes, tuple(options.metric))


def require_known(
    reports: Reports, section: Any, metrics: Sequence[str], labels: Sequence[str] = ()
) -> None:
    """Refuse metrics and labels that neither metrics.yml nor any frame has.

    :param section: the configuration's [collect]
    :param labels: names in ``--groupby`` other than :data:`KEYS`
    :raises ratekit.errors.OperatorError: with a line for each unknown name
    """
    from ratekit.files import metrics_file

    label_names = metric_admin.merge_labels(
        metrics_file.read_labels(section.metrics_conf, section.scope_key)
    )
    if label_names.keys() >= set(metrics) and set().union(*label_names.values()) >= set(labels):
        return
    # Only now, because it reads all labels that were ever stored.
    label_names = metric_admin.merge_labels(label_names, reports.labels())
    if not label_names:
        return  # no metrics.yml and no frames: there is nothing to compare with
    keys = {*KEYS, *set().union(*label_names.values())}
    mistakes = [
        f"--metric: no metric is called {name!r}{_metric_hint(name, label_names)}"
        for name in metrics
        if name not in label_names
    ]
    mistakes += [
        f"--groupby: {name!r} is neither {', '.join(KEYS)} nor a label of any metric"
        f"{errors.suggestion(name, keys)}"
        for name in labels
        if name not in keys
    ]
    if mistakes:
        raise errors.OperatorError("\n".join(mistakes))


def _metric_hint(name: str, metrics: Collection[str]) -> str:
    return errors.suggestion(name, metrics) or f"; known metrics: {', '.join(sorted(metrics))}"


def find_scope(rows: Sequence[StateRow], word: str) -> StateRow:
    """Return the scope that ``--scope`` names by ID or name.

    :raises ratekit.errors.OperatorError: no scope or several scopes have this name
    """
    try:
        return scope_admin.find(rows, word)
    except errors.OperatorError as error:
        raise errors.OperatorError(f"--scope: {error}") from None


def read_instant(
    option: str,
    text: str,
    timezone: datetime.tzinfo = datetime.UTC,
    margin: datetime.timedelta = _DAY,
) -> datetime.datetime:
    """Return an option's ISO 8601 date or time, as UTC.

    :param timezone: of a time without an offset
    :param margin: so much after it must be representable, too: its period or its day
    :raises ratekit.errors.OperatorError: it is not a time, or too far in the past or future
    """
    try:
        instant = datetime.datetime.fromisoformat(text)
        if instant.utcoffset() is None:
            instant = instant.replace(tzinfo=timezone)
        instant = instant.astimezone(datetime.UTC)
        _ = instant + margin
    except ValueError:
        raise errors.OperatorError(
            f"{option}: expected a date or time such as 2026-01-31 or 2026-01-31T12:00, "
            f"not {text!r}"
        ) from None
    except OverflowError:
        # Only times at the two ends of the calendar overflow.
        direction = "past" if text.startswith("0") else "future"
        raise errors.OperatorError(f"{option}: {text!r} is too far in the {direction}") from None
    return instant


def read_labels(texts: Sequence[str]) -> Mapping[str, str]:
    """Return the labels of several ``--label NAME=VALUE``.

    :raises ratekit.errors.OperatorError: one has another form, or a name occurs twice
    """
    labels: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise errors.OperatorError(
                f"--label: expected NAME=VALUE such as flavor_name=m1.small, not {text!r}"
            )
        if name in labels:
            raise errors.OperatorError(f"--label: {name!r} occurs twice")
        labels[name] = value
    return labels


def read_quantity(option: str, text: str) -> Decimal:
    """Return a quantity exactly as the database would store it.

    :raises ratekit.errors.OperatorError: it is not a decimal number, or has too many digits
    """
    if exact.NUMBER.match(text):
        quantity = Decimal(text).normalize(exact.EXACT)
        _, digits, exponent = quantity.as_tuple()
        assert isinstance(exponent, int), "a number is finite"
        if -exponent <= exact.QUANTITY_PLACES and len(digits) + exponent <= _WHOLE_DIGITS:
            return quantity
    raise errors.OperatorError(
        f"{option}: expected a decimal number with at most {_WHOLE_DIGITS} digits before and "
        f"{exact.QUANTITY_PLACES} after the decimal point, not {text!r}"
    )


def whole_number(minimum: int, maximum: int = _LARGEST) -> Callable[[str], int]:
    """Return an argparse type: a whole number from ``minimum`` to ``maximum``."""
    limits = f"of at least {minimum}" if maximum == _LARGEST else f"from {minimum} to {maximum}"

    def read(text: str) -> int:
        # Checked by length first: int() refuses thousands of digits with another error.
        readable = text.isascii() and text.isdecimal() and len(text) <= _LARGEST_DIGITS
        if not readable or not minimum <= int(text) <= maximum:
            raise argparse.ArgumentTypeError(f"expected a whole number {limits}, not {text!r}")
        return int(text)

    return read
