"""How numbers and instants are written for people."""

from __future__ import annotations

import datetime
from decimal import Decimal


def number_text(number: Decimal) -> str:
    """Write a number without exponent and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def utc_text(instant: datetime.datetime) -> str:
    """Write an instant as ``2026-01-01T00:00:00Z``."""
    return instant.astimezone(datetime.UTC).replace(tzinfo=None).isoformat() + "Z"
