"""Amounts in an API's answers, which JSON does not tell from other numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

#: Keys of amounts.
_AMOUNTS = frozenset(
    {
        "before", "cost", "difference", "exact", "flat", "level", "new_price", "price", "quantity",
        "rate", "values",
    }
)  # fmt: skip


def restore_amounts(value: Any) -> Any:
    """Return a JSON value whose amounts are Decimal, even if they are whole."""
    match value:
        case Mapping():
            return {
                key: _restore(entry) if key in _AMOUNTS else restore_amounts(entry)
                for key, entry in value.items()
            }
        case list():
            return [restore_amounts(entry) for entry in value]
        case _:
            return value


def _restore(value: Any) -> Any:
    match value:
        case list():
            return [_restore(entry) for entry in value]
        case int() | Decimal() if not isinstance(value, bool):
            return Decimal(value)
        case _:
            return value
