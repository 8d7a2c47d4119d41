"""Groups of an aggregates response: the JSON of nearly all of them is read by msgspec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from ratekit import errors
from ratekit.collectors.gnocchi.api import transport
from ratekit.domain import decimal_limits

#: Attributes' types of which msgspec reads the same as the transport's parser. It reads an
#: integer as int, whatever its number of digits.
_COMMON_TYPES = frozenset({str, type(None), bool, Decimal})
_VALUE_TYPES = frozenset({Decimal})
_Attribute = TypeVar("_Attribute")


class AggregateGroup(msgspec.Struct, frozen=True, gc=False):
    """One revision of one resource.

    :ivar attributes: the attributes that the query groups by, numbers as Decimal
    :ivar begins: starts of the buckets, as Gnocchi wrote them, in its order
    :ivar values: one value for each of ``begins``
    """

    attributes: Mapping[str, Any]
    begins: tuple[str, ...]
    values: tuple[Decimal, ...]


class _Aggregated(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    #: (start, granularity, value); nothing reads the granularity.
    aggregated: list[tuple[str, float, Any]]


class _Measures(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    measures: _Aggregated


class _Row(msgspec.Struct, Generic[_Attribute], gc=False, forbid_unknown_fields=True):
    measures: _Measures
    group: dict[str, _Attribute]


# Numbers come as text to the same function as in the transport's parser, so that it decides on
# digits and limits. 24 buckets: 0.23 µs each, the transport's parser 0.54; 36 of 300 s: 8.5 and 18.
_NUMBER = decimal_limits.CONTEXT.create_decimal
_TEXTS = msgspec.json.Decoder(list[_Row[str | None]], float_hook=_NUMBER)
_ALL = msgspec.json.Decoder(list[_Row[Any]], float_hook=_NUMBER)


def read_groups(content: bytes) -> list[AggregateGroup] | None:
    """Read the body of a response; None: it is null.

    :raises ratekit.errors.InvalidResponse: it is not JSON, or not a list of groups
    """
    groups = _decode_common(content)
    if groups is not None:
        return groups
    # Less common forms, and all mistakes.
    rows = transport.parse(content)
    if rows is None:
        return None
    if not isinstance(rows, list):
        raise errors.InvalidResponse("cannot parse Gnocchi's aggregates response: it is not a list")
    return group_rows(rows)


def group_rows(rows: Sequence[Any]) -> list[AggregateGroup]:
    """Return parsed rows as groups.

    :raises ratekit.errors.InvalidResponse: a row has not the expected form
    """
    with transport.parsing("aggregates"):
        return [_read_row(row) for row in rows]


def require_decimal(value: Any) -> Decimal:
    """Return a number of a response.

    :raises TypeError: it is not a number
    """
    if type(value) is not Decimal:
        raise TypeError(f"{value!r} is not a number")
    return value


def _decode_common(content: bytes) -> list[AggregateGroup] | None:
    """Return the groups of a response of the common form; None: its form is another."""
    try:
        try:
            rows: list[Any] = _TEXTS.decode(content)
        except msgspec.ValidationError:
            rows = _ALL.decode(content)
            if not all(_COMMON_TYPES.issuperset(map(type, row.group.values())) for row in rows):
                return None
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
        return None
    for index, row in enumerate(rows):
        aggregated = row.measures.measures.aggregated
        begins, _, values = zip(*aggregated, strict=True) if aggregated else ((), (), ())
        if not _VALUE_TYPES.issuperset(map(type, values)):
            return None
        # In the row's place, so that the whole response is never there twice.
        rows[index] = AggregateGroup(row.group, begins, values)
    return rows


def _read_row(row: Any) -> AggregateGroup:
    begins, values = [], []
    for begin, _, value in row["measures"]["measures"]["aggregated"]:
        begins.append(begin)
        values.append(require_decimal(value))
    return AggregateGroup(row["group"], tuple(begins), tuple(values))
