"""Ids by which the API names services, fields, groups and lines of rules.

They are UUIDs of version 8 (RFC 9562), because the clients insist on UUIDs. They hold a kind and
the number of a row, so that no table has to map them.
"""

from __future__ import annotations

import enum
import re
import uuid

_CANONICAL = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: The first 48 bits; a random UUID has them once in 2**48 times.
_MARK = int.from_bytes(b"rtkrul", "big")
_VERSION = 8
_VARIANT = 0b10
#: Positions of the parts of a UUID, in bits from its end.
_MARK_AT, _VERSION_AT, _KIND_AT, _VARIANT_AT = 80, 76, 64, 62
#: More rows fit into no database.
_LIMIT = 1 << _VARIANT_AT


class IdKind(enum.Enum):
    """What an id names; the numbers are in ids that clients have stored."""

    SERVICE = 1
    FIELD = 2
    GROUP = 3
    MAPPING = 4
    THRESHOLD = 5


_KINDS = {kind.value: kind for kind in IdKind}


def encode(kind: IdKind, number: int) -> str:
    """Return the id of a row, or of a line of rules.

    :param number: the row's id; of a line, the id of its first rule
    :raises ValueError: no row has such an id
    """
    if not 0 <= number < _LIMIT:
        raise ValueError(f"expected the id of a row, not {number}")
    return str(
        uuid.UUID(
            int=_MARK << _MARK_AT
            | _VERSION << _VERSION_AT
            | kind.value << _KIND_AT
            | _VARIANT << _VARIANT_AT
            | number
        )
    )


def decode(text: str) -> tuple[IdKind, int] | None:
    """Return kind and number of an id in upper or lower case; None: ratekit made no such id."""
    if not _CANONICAL.fullmatch(text):
        return None
    bits = int(text.replace("-", ""), 16)
    kind = _KINDS.get(bits >> _KIND_AT & 0xFFF)
    if kind is None:
        return None
    number = bits & (_LIMIT - 1)
    return (kind, number) if encode(kind, number) == text.lower() else None
