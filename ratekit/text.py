"""How numbers, instants, counts and lists are written in messages and tables."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from decimal import Decimal

#: Members of a list that a line names; more of them make it no clearer.
_NAMED = 5


def number_text(number: Decimal) -> str:
    """Write a number without exponent and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def utc_text(instant: datetime.datetime) -> str:
    """Write an instant as ``2026-01-01T00:00:00Z``."""
    return instant.astimezone(datetime.UTC).replace(tzinfo=None).isoformat() + "Z"


def minute_text(instant: datetime.datetime) -> str:
    """Write an instant as ``2026-01-01T00:00Z``, for periods, which begin at whole minutes."""
    return f"{instant.astimezone(datetime.UTC):%Y-%m-%dT%H:%MZ}"


def count_text(count: int, noun: str, plural: str = "") -> str:
    """Write a count with its noun: ``1 scope``, ``1,200 scopes``.

    :param plural: where it is not the noun and an s
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def list_text(words: Collection[str], limit: int = _NAMED) -> str:
    """Write some of the words, in their order: ``a, b and 3 more``.

    :param limit: how many are written at most
    """
    listed = list(words)
    shown = ", ".join(listed[:limit])
    return shown if len(listed) <= limit else f"{shown} and {len(listed) - limit:,} more"
