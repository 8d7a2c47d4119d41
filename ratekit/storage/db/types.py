"""Column types with the same meaning on every database: exact decimals, UTC, exact text."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.exact import EXACT, PRICE_PLACES, QUANTITY_PLACES, SHARE_PLACES, ZERO
from ratekit.text import count_text

#: Maximum number of digits of a stored decimal: MySQL's limit.
DIGITS = 65

#: Maximum length in characters of names and ids that are compared or indexed: two of them fit
#: into the 3,072 bytes of a key on MySQL, at four bytes a character.
WORD = 255

#: Options of each table on MariaDB and MySQL, so that the server's defaults do not matter.
TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}

#: Maximum length in characters of a name or an error message that is stored for people to read.
TEXT_LENGTH = 1000

#: Number of digits of a stored share: one before the decimal point.
SHARE_DIGITS = SHARE_PLACES + 1


def _context(digits: int) -> decimal.Context:
    """Return a context in which quantizing fails exactly when DECIMAL(digits, n) is too narrow."""
    return decimal.Context(
        prec=digits,
        Emin=-999999,
        Emax=999999,
        traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow],
    )


_WIDTH = _context(DIGITS)
_SHARE_WIDTH = _context(SHARE_DIGITS)
_ONE = Decimal(1)
_QUANTITY_ZERO = ZERO.scaleb(-QUANTITY_PLACES)
_SHARE_ZERO = ZERO.scaleb(-SHARE_PLACES)
_PRICE_ZERO = ZERO.scaleb(-PRICE_PLACES)
_QUANTITY_LIMIT = _ONE.scaleb(DIGITS - QUANTITY_PLACES)
_PRICE_LIMIT = _ONE.scaleb(DIGITS - PRICE_PLACES)


def storable(text: str) -> str:
    """Replace or cut what databases do not accept: text for people must not stop the rating."""
    return text.replace("\x00", "?").encode("utf-8", "replace").decode()[:TEXT_LENGTH]


def sum_quantities(quantities: Sequence[Decimal]) -> Decimal:
    """Return the exact sum of values each of which DECIMAL(65, 18) stores as it is.

    Call it in the context ``EXACT``; to enter that takes as long as to add some values.

    :param quantities: at least one
    :raises decimal.DecimalException: the column would round one of them or overflow, or one is not
        a number; or their sum has more than 2,000 digits
    """
    return _sum(quantities, _QUANTITY_ZERO, _QUANTITY_LIMIT)


def sum_prices(prices: Sequence[Decimal]) -> Decimal:
    """Do the same for DECIMAL(65, 28)."""
    return _sum(prices, _PRICE_ZERO, _PRICE_LIMIT)


def _sum(values: Sequence[Decimal], zero: Decimal, limit: Decimal) -> Decimal:
    total = sum(values, zero)
    # An exact sum has as many places as the value with most of them, so it tells whether all of
    # them fit: 0.03 µs a value, where a call for each takes 0.07. To compare a NaN raises.
    if max(values) < limit and min(values) > -limit and total.same_quantum(zero):
        return total
    for value in values:
        value.quantize(zero, None, _WIDTH)
    return total


def add_texts(left: str, right: str, places: int) -> str:
    """Return the exact sum of two decimals as SQLite stores them.

    :raises decimal.DecimalException: DECIMAL(65, places) would not store it on other databases
    """
    total = EXACT.add(Decimal(left), Decimal(right))
    if not _fits(total, places, _WIDTH):
        raise decimal.Overflow(f"more than {DIGITS - places} digits before the point")
    return str(total)


def _fits(value: Decimal, places: int, width: decimal.Context) -> bool:
    """Return whether a column with so many places stores a value as it is."""
    try:
        value.quantize(_ONE.scaleb(-places), None, width)
    except decimal.DecimalException:
        return False
    return value.is_finite()


def require_shared_fits(whole: Decimal, share: Decimal) -> None:
    """Raise if DECIMAL(65, 18) or DECIMAL(19, 18) would round a value or overflow.

    :raises decimal.DecimalException: one of them does not fit, or is a NaN
    """
    for value, zero, width in ((whole, _QUANTITY_ZERO, _WIDTH), (share, _SHARE_ZERO, _SHARE_WIDTH)):
        if value.quantize(zero, None, width).is_nan():
            raise decimal.InvalidOperation(value)


def tidy(value: Decimal) -> Decimal:
    """Remove trailing zeros, so that a value looks the same from every database.

    A negative zero, such as the price of no usage by a negative rate, which only SQLite stores,
    loses its sign.
    """
    short = value.normalize(EXACT) if value else ZERO
    return short.quantize(_ONE, context=EXACT) if short.as_tuple().exponent > 0 else short  # type: ignore[operator]


class Exact(TypeDecorator[Decimal]):
    """DECIMAL(digits, places); text on SQLite, which would convert a decimal to binary.

    :raises ratekit.errors.OperatorError: the column would round the value
    """

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, places: int, digits: int = DIGITS) -> None:
        super().__init__(digits, places)
        self.places = places
        self.digits = digits
        self._width = _context(digits)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column's type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(sa.Numeric(self.digits, self.places))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Return the value for the database; raise if the column would change it."""
        if value is None:
            return None
        if not _fits(value, self.places, self._width):
            raise errors.OperatorError(
                f"{value} cannot be stored: at most "
                f"{count_text(self.digits - self.places, 'digit')} before the point and "
                f"{self.places} after it"
            )
        # MySQL reads a literal with an exponent as a binary float.
        return value if dialect.name == "postgresql" else format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the decimal without trailing zeros."""
        return None if value is None else tidy(Decimal(value))


class Instant(TypeDecorator[datetime.datetime]):
    """An instant: aware UTC outside, naive UTC with microseconds inside.

    :raises ValueError: an instant that is naive or in another zone
    """

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column's type; MySQL's default has no microseconds."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> Any:
        """Remove the time zone, which is UTC."""
        if value is None:
            return None
        period.require_utc(value)
        return value.replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime.datetime | None:
        """Add the time zone UTC."""
        return None if value is None else value.replace(tzinfo=datetime.UTC)


class Word(TypeDecorator[str]):
    """A name or id of at most 255 characters, compared and ordered by code point.

    Default collations of databases differ in which texts are equal; bills must not differ.

    :raises ratekit.errors.OperatorError: the text is longer; SQLite would accept it
    """

    impl = sa.String
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(WORD)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column's type."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.VARCHAR(WORD, collation=word_collation(dialect)))
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.VARCHAR(WORD, collation="C"))
        return dialect.type_descriptor(sa.String(WORD))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Check the length."""
        if value is not None:
            require_word(value)
        return value


def word_collation(dialect: Dialect) -> str:
    """Return the collation of MariaDB or MySQL under which different texts are never equal.

    ``utf8mb4_bin`` ignores trailing blanks. The collation that compares them has a different
    name on each of the two servers.
    """
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"


def fits_word(value: str) -> bool:
    """Return whether every database accepts ``value`` for a :class:`Word`."""
    return (
        len(value) <= WORD
        and "\x00" not in value
        and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))
    )


def require_word(value: str) -> None:
    """Raise if ``value`` is too long for a :class:`Word`.

    :raises ratekit.errors.OperatorError: it is too long
    """
    if len(value) > WORD:
        raise errors.OperatorError(f"{value[:40]!r}... is longer than {WORD} characters")


def row_id() -> TypeEngine[int]:
    """Return the type of row ids; SQLite generates ids only for columns declared INTEGER."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def json_text() -> TypeEngine[str]:
    """Return the type of JSON in ASCII, ordered by byte."""
    return (
        sa.Text()
        .with_variant(sa.Text(collation="C"), "postgresql")
        .with_variant(mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
    )


def digest() -> TypeEngine[bytes]:
    """Return the type of a SHA-256 digest."""
    return sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
