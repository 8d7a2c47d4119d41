"""The options that several commands have, and how their values are read."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from ratekit import errors
from ratekit.admin import metric as metric_admin
from ratekit.admin import scope as scope_admin
from ratekit.admin import zones
from ratekit.cmd import instants
from ratekit.cmd.output.key_columns import KEYS
from ratekit.domain.reporting.reports import ALL_SCOPES, AllScopes, Selection
from ratekit.interfaces import Reports
from ratekit.text import local_text

S = TypeVar("S", bound=scope_admin.Named)

_NO_TIME = datetime.timedelta(0)
#: The largest limit or ID: databases count to 2 ** 63.
_LARGEST_DIGITS = 18
_LARGEST = 10**_LARGEST_DIGITS - 1


def add_selection_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`read_selection` and :func:`read_zone` read."""
    parser.add_argument(
        "--month", metavar="MONTH", help=f"only this month, {instants.MONTH}; default: this-month"
    )
    parser.add_argument(
        "--begin",
        metavar="TIME",
        help="start of the report, such as 2026-11-27T14:00, 2026-11, yesterday or -7d; "
        "default: start of this month",
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
        help="time zone of output and of times without an offset, such as Europe/Berlin; "
        "default: UTC",
    )


def read_zone(name: str) -> datetime.tzinfo:
    """Return the time zone of this name.

    :raises ratekit.errors.OperatorError: it does not exist
    """
    try:
        return zones.read_zone(name)
    except errors.OperatorError as error:
        raise errors.OperatorError(f"--timezone: {error}") from None


def read_selection(
    options: argparse.Namespace,
    reports: Reports,
    timezone: datetime.tzinfo,
    now: datetime.datetime,
    ids_only: bool = False,
) -> Selection:
    """Return the frames that the options select.

    :param ids_only: scopes cannot be listed
    :raises ratekit.errors.OperatorError: a time or a scope is wrong, or the end is not after
        the start
    """
    begin, end = _read_range(options, timezone, now)
    scopes = read_scopes(options.scope, reports, ids_only)
    return Selection(begin, end, scopes=scopes, metrics=tuple(options.metric))


def read_scopes(
    words: Sequence[str], reports: Reports, ids_only: bool = False
) -> AllScopes | frozenset[str]:
    """Return the scopes that ``--scope`` names, by ID or name; all without such an option.

    :param ids_only: scopes cannot be listed: take each word for an ID
    :raises ratekit.errors.OperatorError: no scope or several scopes have this name
    """
    if not words:
        return ALL_SCOPES
    if ids_only:
        return frozenset(words)
    rows = reports.scopes(ALL_SCOPES)
    return frozenset(find_scope(rows, word).id for word in words)


def empty_text(selection: Selection, zone: datetime.tzinfo) -> str:
    """Return that no frames are selected, in words."""
    bounds = [
        local_text(instant.replace(microsecond=0), zone)
        for instant in (selection.begin, selection.end)
        if instant is not None
    ]
    return f"no frames match from {' to '.join(bounds)}"


def _read_range(
    options: argparse.Namespace, timezone: datetime.tzinfo, now: datetime.datetime
) -> tuple[datetime.datetime, datetime.datetime]:
    if options.month is not None:
        refuse_bounds(options)
        return instants.read_month("--month", options.month, now, timezone)
    begin, end = instants.read_month("--month", "this-month", now, timezone)[0], now
    if options.begin is not None:
        begin = instants.read_instant("--begin", options.begin, now, timezone, _NO_TIME)
    if options.end is not None:
        end = instants.read_instant("--end", options.end, now, timezone, _NO_TIME)
    if begin >= end:
        default = " (the default)"
        hint = "; --month includes the whole month" if options.begin == options.end else ""
        raise errors.OperatorError(
            f"--begin {local_text(begin, timezone)}{'' if options.begin else default} is not "
            f"before --end {local_text(end, timezone)}{'' if options.end else default}{hint}"
        )
    return begin, end


def refuse_bounds(options: argparse.Namespace) -> None:
    """Refuse ``--begin`` and ``--end`` beside ``--month``.

    :raises ratekit.errors.OperatorError: there is one of them
    """
    if options.begin is not None or options.end is not None:
        raise errors.OperatorError("--month has its own begin and end; remove --begin and --end")


def require_known(
    reports: Reports, section: Any, metrics: Sequence[str], labels: Sequence[str] = ()
) -> None:
    """Refuse metrics and labels that neither metrics.yml nor any frame has.

    :param section: the configuration's [collect]
    :param labels: names in ``--groupby`` that are labels
    :raises ratekit.errors.OperatorError: with a line for each unknown name
    """
    if not metrics and not labels:
        return
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
        raise errors.OperatorError(*mistakes)


def warn_of_metrics(metrics: Sequence[str], rated: Collection[str]) -> Iterator[str]:
    """Yield a warning for each metric that is not rated now; usage from before may exist.

    :param rated: metrics that are; empty: it is not known
    """
    for name in metrics:
        if rated and name not in rated:
            hint = _metric_hint(name, rated)
            yield f"--metric: no metric that is rated now is called {name!r}{hint}"


def _metric_hint(name: str, metrics: Collection[str]) -> str:
    return errors.suggestion(name, metrics) or f"; known metrics: {', '.join(sorted(metrics))}"


def find_scope(rows: Sequence[S], word: str) -> S:
    """Return the scope that ``--scope`` names by ID or name.

    :raises ratekit.errors.OperatorError: no scope or several scopes have this name
    """
    try:
        return scope_admin.find(rows, word)
    except errors.OperatorError as error:
        raise errors.OperatorError(f"--scope: {error}") from None


def add_null_label(parser: argparse.ArgumentParser, description: str) -> None:
    """Add ``--null-label``, which :func:`read_labels` reads as ``null_label``."""
    parser.add_argument(
        "--null-label", action="append", default=[], metavar="NAME", help=description
    )


def read_labels(texts: Sequence[str], null_names: Sequence[str]) -> Mapping[str, str | None]:
    """Return the labels of several ``--label NAME=VALUE`` and ``--null-label NAME``.

    :raises ratekit.errors.OperatorError: one has another form, or a name occurs twice
    """
    labels: dict[str, str | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise errors.OperatorError(
                f"--label: expected NAME=VALUE such as flavor_name=m1.small, not {text!r}"
            )
        if name in labels:
            raise errors.OperatorError(f"--label: {name!r} occurs twice")
        labels[name] = value
    for name in null_names:
        if name in labels:
            raise errors.OperatorError(f"--null-label: {name!r} occurs twice")
        labels[name] = None
    return labels


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
