"""How numbers, instants, counts, lists and foreign texts are written in messages and tables."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Collection, Mapping
from decimal import Decimal

#: How many members of a list are written; more of them make a line no clearer.
_LIST_LIMIT = 5
#: Python writes floats with more digits before the point than this with an exponent.
_FLOAT_DIGITS = 16
#: Units of time, in seconds.
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))
#: What spreadsheets take for the start of a formula, in full width too.
_FORMULA = re.compile("[=+@\uff1d\uff0b\uff0d\uff20-]")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z")


def printable(text: str) -> str:
    """Escape what a terminal or a reader of logs would take for something else.

    Line breaks, control sequences, marks that reverse the writing direction and unpaired
    surrogates become visible: ``\\n``, ``\\x1b``, ``\\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def sheet_text(text: str) -> str:
    """Write a text so that a spreadsheet does not compute it: formulas follow an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def number_text(number: Decimal) -> str:
    """Write a number without exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def python_number(number: Decimal) -> int | float:
    """Return what Python's JSON parser would: labels are ``str()`` of it, as in CloudKitty.

    So ``2.50`` becomes ``2.5`` and ``1E+16`` becomes ``1e+16``. Python writes each float with a
    point or an exponent. A number without both is an integer, unless it has so many digits that
    a float of this size would have been written with an exponent.
    """
    if number.as_tuple().exponent == 0 and number.adjusted() < _FLOAT_DIGITS:
        return int(number)
    return float(number)


def utc_text(instant: datetime.datetime) -> str:
    """Write an instant as ``2026-01-01T00:00:00Z``."""
    return instant.astimezone(datetime.UTC).replace(tzinfo=None).isoformat() + "Z"


def second_text(instant: datetime.datetime) -> str:
    """Write an instant as :func:`utc_text` does, without fractions of a second."""
    return utc_text(instant.replace(microsecond=0))


def local_text(instant: datetime.datetime, zone: datetime.tzinfo) -> str:
    """Write an instant as ISO 8601 in a time zone; where that has no offset, as ``Z``."""
    local = instant.astimezone(zone)
    return local.isoformat() if local.utcoffset() else utc_text(instant)


def minute_text(instant: datetime.datetime) -> str:
    """Write an instant as ``2026-01-01T00:00Z``, for periods, which start at whole minutes."""
    return f"{instant.astimezone(datetime.UTC):%Y-%m-%dT%H:%MZ}"


def duration_text(duration: datetime.timedelta, limit: int | None = None) -> str:
    """Write a length of time as ``1 d 12 h``.

    :param limit: maximum number of units, without the remainder; default: as many as it has
    """
    seconds, microseconds = divmod(abs(duration) // datetime.timedelta(microseconds=1), 10**6)
    parts = []
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}")
    if seconds or microseconds or not parts:
        parts.append(f"{number_text(seconds + Decimal(microseconds).scaleb(-6))} s")
    return ("-" if duration.days < 0 else "") + " ".join(parts[:limit])


def count_text(count: int, noun: str, plural: str = "") -> str:
    """Write a count with its noun: ``1 scope``, ``1,200 scopes``.

    :param plural: where it is not the noun with an s
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def list_text(words: Collection[str], limit: int = _LIST_LIMIT) -> str:
    """Write some of the words, in their order: ``a, b and 3 more``.

    :param limit: maximum number of words
    """
    first_words = ", ".join(itertools.islice(words, limit))
    return first_words if len(words) <= limit else f"{first_words} and {len(words) - limit:,} more"


def labels_text(labels: Mapping[str, str | None]) -> str:
    """Write the labels that have a value, by name: ``id=r1 project_id=p1``."""
    return " ".join(f"{name}={value}" for name, value in sorted(labels.items()) if value)
