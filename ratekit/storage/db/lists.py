"""Conditions on lists of values: one parameter and one statement, however long a list is."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeDecorator

#: SQLite's function that reads a digest from hexadecimal text; its own needs SQLite 3.41.
DIGEST_OF = "digest_of"


class _List(TypeDecorator[Collection[Any]]):
    """A list as one parameter: an array's text, JSON on SQLite, a tuple on MariaDB and MySQL.

    :cvar array: type of the array on PostgreSQL
    :cvar element: one value of the list on SQLite
    """

    # Not Text: SQLAlchemy would name that type to PostgreSQL, which would then parse the array anew
    # for each row that it compares, instead of once before it plans the statement.
    impl = NullType
    array = "BIGINT[]"
    element = "value"

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        """Return the parameter for the driver."""
        values = value or ()
        match dialect.name:
            case "postgresql":
                return "{" + ",".join(map(self._item, values)) + "}"
            case "sqlite":
                return "[" + ",".join(map(self._json, values)) + "]"
            case _:
                # PyMySQL writes a tuple as a list in parentheses; nothing is equal to NULL.
                return tuple(values) or (None,)

    def _item(self, value: Any) -> str:
        """Return an item of PostgreSQL's text of an array."""
        return str(value)

    def _json(self, value: Any) -> str:
        return str(value)


class Numbers(_List):
    """Whole numbers."""

    cache_ok = True


class Digests(_List):
    """Bytes."""

    cache_ok = True
    array = "BYTEA[]"
    element = f"{DIGEST_OF}(value)"

    def _item(self, value: Any) -> str:
        return f'"\\\\x{value.hex()}"'

    def _json(self, value: Any) -> str:
        return f'"{value.hex()}"'


class Words(_List):
    """Text."""

    cache_ok = True
    array = "TEXT[]"

    def _item(self, value: Any) -> str:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    def _json(self, value: Any) -> str:
        return json.dumps(value)


class in_list(FunctionElement[bool]):  # noqa: N801 -- written like a function in queries
    """Whether a column's value is in a list of any length.

    SQLAlchemy's ``in_()`` makes a parameter of each value; PostgreSQL accepts 65,535 of them,
    SQLite 32,766.

    :param kind: :class:`Numbers`, :class:`Digests` or :class:`Words`
    """

    name = "in_list"
    inherit_cache = True

    def __init__(
        self, column: sa.ColumnElement[Any], values: Collection[Any], kind: type[_List] = Numbers
    ) -> None:
        super().__init__(column, sa.bindparam(None, values, type_=kind()))
        self.type = sa.Boolean()

    def self_group(self, against: Any = None) -> Any:
        """Return the condition itself: compared with 1, it could not use an index."""
        return self


def _parts(
    element: in_list, compiler: SQLCompiler, options: dict[str, Any]
) -> tuple[str, str, _List]:
    column, values = element.clauses
    kind: Any = values.type
    return compiler.process(column, **options), compiler.process(values, **options), kind


@compiles(in_list)
def _in_tuple(element: in_list, compiler: SQLCompiler, **options: Any) -> str:
    column, values, _ = _parts(element, compiler, options)
    return f"{column} IN {values}"


@compiles(in_list, "postgresql")
def _in_array(element: in_list, compiler: SQLCompiler, **options: Any) -> str:
    column, values, kind = _parts(element, compiler, options)
    return f"{column} = ANY (CAST({values} AS {kind.array}))"


@compiles(in_list, "sqlite")
def _in_json(element: in_list, compiler: SQLCompiler, **options: Any) -> str:
    column, values, kind = _parts(element, compiler, options)
    return f"{column} IN (SELECT {kind.element} FROM json_each({values}))"
