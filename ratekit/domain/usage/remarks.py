"""What an operator should know of how quantities were computed."""

from __future__ import annotations

import datetime
import enum
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple


class RemarkKind(enum.Enum):
    """What was noticed."""

    #: A value below zero was replaced by zero.
    NEGATIVE = "negative"
    #: Growth of a counter does not count, because it was silent for too long.
    GAP = "gap"


class Remark(NamedTuple):
    """One notice about one resource.

    :ivar begin: start of the bucket or of the period
    :ivar value: the negative value, or the growth that does not count; None: not known
    """

    kind: RemarkKind
    begin: datetime.datetime
    value: Decimal | Fraction | None
