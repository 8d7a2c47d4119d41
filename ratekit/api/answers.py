"""Types of what answers contain, for their documentation."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated

import pydantic

#: Version 1 writes an exact decimal as text.
AmountText = Annotated[
    Decimal, pydantic.WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"})
]
#: Version 2 writes it as a number with all its digits.
Amount = Annotated[Decimal, pydantic.WithJsonSchema({"type": "number"})]
#: Version 1 writes a time in UTC, without saying so.
NaiveTime = Annotated[
    datetime.datetime,
    pydantic.WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$"}),
]
#: Version 2 writes it with its offset.
Time = Annotated[
    datetime.datetime, pydantic.WithJsonSchema({"type": "string", "format": "date-time"})
]
