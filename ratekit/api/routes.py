"""All operations of the API."""

from __future__ import annotations

from collections.abc import Sequence

from ratekit.api import versions
from ratekit.api.operation import Operation
from ratekit.api.v1 import rating as v1_rating
from ratekit.api.v2 import rating as v2_rating

OPERATIONS: Sequence[Operation] = [
    *versions.OPERATIONS,
    *v1_rating.OPERATIONS,
    *v2_rating.OPERATIONS,
]
