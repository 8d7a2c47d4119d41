"""Labels of a usage in a JSON body."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ratekit.api.faults import Fault
from ratekit.files.rules_file import NULL_TEXT
from ratekit.text import python_number

#: The key below which newer clients put labels.
_NESTED = "metadata"
#: No usage has nearly as many.
_MAX_LABELS = 100


def read_labels(values: Mapping[str, Any]) -> Mapping[str, str | None]:
    """Return labels as rules compare them: as text, or null.

    :param values: by name, or a part of them below ``metadata``
    :raises ratekit.api.faults.Fault: there are too many, or a value is neither text, number,
        boolean nor null
    """
    inner = values.get(_NESTED)
    if isinstance(inner, Mapping):
        values = {**{name: value for name, value in values.items() if name != _NESTED}, **inner}
    if len(values) > _MAX_LABELS:
        raise Fault(400, f"expected at most {_MAX_LABELS} labels, not {len(values):,}")
    return {name: _text(name, value) for name, value in values.items()}


def _text(name: str, value: Any) -> str | None:
    match value:
        case None | str():
            return None if value == NULL_TEXT else value
        case bool() | int():
            return str(value)
        case Decimal():
            return str(python_number(value))
        case _:
            raise Fault(400, f"{name}: expected text, a number, true, false or null")
