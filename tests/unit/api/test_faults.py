"""Which status each kind of error has."""

from __future__ import annotations

import pytest

from ratekit import errors
from ratekit.api import faults


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.OperatorError("why"), 400),
        (errors.NotFound("why"), 404),
        (errors.StateConflict("why"), 409),
        (errors.OutdatedRules("why"), 409),
        (errors.Conflict("why"), 409),
        (errors.RulesChanged("why"), 409),
        (errors.TryLater("why"), 503),
        (errors.RatekitError("why"), 500),
    ],
)
def test_an_error_has_the_status_of_who_must_act(error: errors.RatekitError, status: int) -> None:
    assert faults.read_error(error).status == status
