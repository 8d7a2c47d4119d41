"""Which status each kind of error has."""

from __future__ import annotations

import logging
import pathlib
from typing import Any

import pytest

from ratekit import errors
from ratekit.api import faults
from tests.api_client import Client


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.OperatorError("why"), 400),
        (errors.NotFound("why"), 404),
        (errors.StateConflict("why"), 409),
        (errors.OutdatedRules("why"), 409),
        (errors.Conflict("why"), 409),
        (errors.RulesChanged("why"), 409),
        (errors.LockConflict("why"), 409),
        (errors.TryLater("why"), 503),
        (errors.HostError("why"), 500),
        (errors.AccessDenied("why"), 500),
        (errors.SchemaChanged("why"), 500),
        (errors.RatekitError("why"), 500),
    ],
)
def test_an_error_has_the_status_of_who_must_act(error: errors.RatekitError, status: int) -> None:
    assert faults.read_error(error).status == status


def test_a_database_that_moves_away_is_named_in_the_log_only(
    client: Client, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (file,) = tmp_path.glob("*.sqlite")
    file.rename(tmp_path / "elsewhere")
    for path, key in (
        ("/v1/rating/module_config/hashmap/services", "faultstring"),
        ("/v2/scope", "message"),
    ):
        caplog.clear()
        response = client.get(path)
        assert (response.status, response.body[key]) == (500, faults.INTERNAL)
        assert record_of(caplog).startswith(f"GET {path}: ")
        assert str(tmp_path) in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        errors.HostError("postgresql://ratekit@db.example/ratekit: no password supplied"),
        errors.TryLater("postgresql://ratekit@db.example/ratekit: connection lost"),
        errors.LockConflict("postgresql://ratekit@db.example/ratekit: deadlock detected"),
        errors.BadFile([errors.Mistake("/etc/ratekit/db.example.yml", None, "", "is no file")]),
    ],
)
def test_what_this_host_lacks_is_for_its_log(
    client: Client, error: errors.RatekitError, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.with_reports(Failing(error)).get("/v1/report/tenants")
    assert "db.example" not in response.text
    assert response.body["faultstring"]
    assert str(error) in record_of(caplog)


def test_who_asks_for_too_much_learns_what_to_do(client: Client) -> None:
    response = client.with_reports(Failing(errors.TooSlow(60))).get("/v1/report/tenants")
    assert (response.status, response.headers["retry-after"]) == (503, "10")
    assert "choose a shorter time range" in response.body["faultstring"]


class Failing:
    """Reports that cannot be read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        raise self._error


def record_of(caplog: pytest.LogCaptureFixture) -> str:
    """Return the only error in the log."""
    (record,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    return record.getMessage()
