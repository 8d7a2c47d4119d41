"""Parquet files of charges; they need the extra ``parquet``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import IO, Any

import pyarrow as arrow
from pyarrow import parquet

from ratekit import errors
from ratekit.export.focus.columns import COLUMNS, Kind
from ratekit.export.focus.usage_columns import Cells, Row

#: Rows that are written at once.
_BATCH = 20_000
#: Digits of a number: what all readers of Parquet have.
_DIGITS = 38


def _text(text: str) -> str:
    """Return a text as it is, but for unpaired surrogates, which UTF-8 cannot have."""
    return text.encode(errors="backslashreplace").decode()


#: Texts and numbers as they are.
CELLS = Cells(_text, lambda number: number, lambda instant: instant)


def write(rows: Iterable[Row], file: IO[bytes]) -> None:
    """Write a whole file.

    :param rows: with :data:`CELLS`
    :raises ratekit.errors.OperatorError: a number has more digits than Parquet files can have
    """
    schema = arrow.schema([(column.name, _type(column.kind)) for column in COLUMNS])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            columns = [
                _array(values, field)
                for values, field in zip(zip(*batch, strict=True), schema, strict=True)
            ]
            writer.write_batch(arrow.record_batch(columns, schema=schema))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining_rows = iter(rows)
    while batch := list(itertools.islice(remaining_rows, _BATCH)):
        yield batch


def _type(kind: Kind) -> Any:
    match kind:
        case Kind.PRICE:
            return arrow.decimal128(_DIGITS, 28)
        case Kind.QUANTITY:
            return arrow.decimal128(_DIGITS, 18)
        case Kind.COUNT:
            return arrow.int64()
        case Kind.TIME:
            return arrow.timestamp("us", tz="UTC")
        case _:
            return arrow.string()


def _array(values: Any, field: Any) -> Any:
    try:
        return arrow.array(values, field.type)
    except arrow.ArrowInvalid:
        numbers = [value for value in values if isinstance(value, Decimal)]
        raise errors.OperatorError(
            f"{field.name} {max(numbers, key=abs):f} has more digits than Parquet files can have; "
            "write a .csv file"
        ) from None
