"""Column types that mean the same on every database: exact decimals, UTC, text as it is."""

from __future__ import annotations

import datetime
import decimal
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.exact import EXACT, PRICE_PLACES, QUANTITY_PLACES

#: Digits a stored decimal has at most: the most that MySQL knows.
DIGITS = 65

#: Letters of names and ids that are compared or indexed: two of them fit into the
#: 3,072 bytes that a key has on MySQL, four bytes a letter.
WORD = 255

#: What each table says for itself on MariaDB and MySQL, whatever the server's defaults are.
TABLE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}

#: Letters of a name or an error that are kept with a scope: a line for people, not a log.
TEXT_LENGTH = 1000

# Quantizing in this context fails exactly when a DECIMAL(65, n) could not hold the value.
_WIDTH = decimal.Context(
    prec=DIGITS,
    Emin=-999999,
    Emax=999999,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow],
)
_ONE = Decimal(1)
_QUANTITY_UNIT = _ONE.scaleb(-QUANTITY_PLACES)
_PRICE_UNIT = _ONE.scaleb(-PRICE_PLACES)


def storable(text: str) -> str:
    """Replace or cut what databases do not take: what is for people may hold nobody up."""
    return text.replace("\x00", "?").encode("utf-8", "replace").decode()[:TEXT_LENGTH]


def require_fits(quantity: Decimal, price: Decimal) -> None:
    """Refuse what DECIMAL(65, 18) and DECIMAL(65, 28) would round or overflow.

    A quiet NaN passes: it shows in the sum, which is checked as well. Called once a
    point, hence two looks in one call.

    :raises decimal.DecimalException: one of them does not fit
    """
    quantity.quantize(_QUANTITY_UNIT, None, _WIDTH)
    price.quantize(_PRICE_UNIT, None, _WIDTH)


def tidy(value: Decimal) -> Decimal:
    """Drop zeros at the end, so that a value looks the same from every database."""
    short = value.normalize(EXACT)
    return short.quantize(_ONE, context=EXACT) if short.as_tuple().exponent > 0 else short  # type: ignore[operator]


class Exact(TypeDecorator[Decimal]):
    """DECIMAL(65, places); text on SQLite, which would turn a decimal into binary.

    :raises ratekit.errors.OperatorError: a value that would have to be rounded
    """

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, places: int) -> None:
        super().__init__(DIGITS, places)
        self.places = places

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(sa.Numeric(DIGITS, self.places))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Check that the database will keep the value as it is."""
        if value is None:
            return None
        try:
            value.quantize(_ONE.scaleb(-self.places), None, _WIDTH)
        except decimal.DecimalException:
            fits = False
        else:
            fits = value.is_finite()
        if not fits:
            raise errors.OperatorError(
                f"{value} cannot be stored: at most {DIGITS - self.places} digits before the "
                f"point and {self.places} after it"
            )
        # MySQL would take a literal with an exponent for a binary float.
        return value if dialect.name == "postgresql" else format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the decimal without zeros at its end."""
        return None if value is None else tidy(Decimal(value))


class Instant(TypeDecorator[datetime.datetime]):
    """An instant: aware UTC outside, naive UTC with microseconds inside.

    :raises ValueError: an instant that is naive or in another zone
    """

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type; MySQL's own default forgets microseconds."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> Any:
        """Take the zone off, which is UTC."""
        if value is None:
            return None
        period.require_utc(value)
        return value.replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime.datetime | None:
        """Put the zone on."""
        return None if value is None else value.replace(tzinfo=datetime.UTC)


class Word(TypeDecorator[str]):
    """A name or id of at most 255 letters, compared and ordered letter by letter.

    Databases differ in what their default collations hold equal; money may not.

    :raises ratekit.errors.OperatorError: a longer one, which SQLite would take
    """

    impl = sa.String
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(WORD)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
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
    """Return the collation of MariaDB or MySQL that tells all texts apart.

    Under ``utf8mb4_bin`` blanks at the end of a text do not count; the collations that
    count them go by another name on each of the two.
    """
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"


def fits_word(value: str) -> bool:
    """Tell whether every database takes ``value`` for a :class:`Word`."""
    return (
        len(value) <= WORD
        and "\x00" not in value
        and not any("\ud800" <= letter <= "\udfff" for letter in value)
    )


def require_word(value: str) -> None:
    """Refuse what a :class:`Word` cannot hold.

    :raises ratekit.errors.OperatorError: it is too long
    """
    if len(value) > WORD:
        raise errors.OperatorError(f"{value[:40]!r}… is longer than {WORD} letters")


def key() -> TypeEngine[int]:
    """Type of ids; SQLite counts up by itself only what is declared INTEGER."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def json_text() -> TypeEngine[str]:
    """Type of JSON in ASCII, ordered byte by byte."""
    return (
        sa.Text()
        .with_variant(sa.Text(collation="C"), "postgresql")
        .with_variant(mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
    )


def digest() -> TypeEngine[bytes]:
    """Type of a SHA-256."""
    return sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
