"""The retry policy: levels, delays, and what must end the process."""

from __future__ import annotations

import datetime
import logging

import pytest

from ratekit import errors
from ratekit.domain.schedule.backoff import Backoff
from ratekit.processing.failures import RetryPolicy, attempt
from tests.builders import HOUR, MINUTE, MONTH

LOG = logging.getLogger("ratekit.test")
POLICY = RetryPolicy(Backoff(MINUTE, HOUR))


def fail_with(error: Exception) -> None:
    raise error


def test_an_attempt_returns_the_result_or_the_error() -> None:
    error = ZeroDivisionError("a bug")
    assert attempt(lambda: 7) == 7
    assert attempt(lambda: fail_with(error)) is error


def test_an_attempt_raises_what_must_end_the_process() -> None:
    with pytest.raises(errors.SchemaChanged):
        attempt(lambda: fail_with(errors.SchemaChanged("revision 0009")))


@pytest.mark.parametrize(
    ("failure", "failures", "delay"),
    [
        (errors.TryLater("no answer"), 0, MINUTE),
        (errors.OperatorError("refused"), 2, 4 * MINUTE),
        (ZeroDivisionError("a bug"), 1, 2 * MINUTE),
        (errors.TryLater("503", after=300), 0, 5 * MINUTE),
        (errors.NotYet("a backlog"), 5, MINUTE),
    ],
)
def test_the_delay_depends_on_the_failure_and_on_how_often_it_happened(
    failure: Exception, failures: int, delay: datetime.timedelta
) -> None:
    retry = POLICY.retry(failure, failures, chance=0.0, now=MONTH)
    assert (retry.delay, retry.retry_at) == (delay, MONTH + delay)


@pytest.mark.parametrize(
    ("failure", "level"),
    [
        (errors.NotYet("a backlog"), logging.INFO),
        (errors.TryLater("no answer"), logging.WARNING),
        (errors.InvalidResponse("no JSON"), logging.WARNING),
        (errors.OperatorError("refused"), logging.ERROR),
    ],
)
def test_the_level_says_who_must_act(
    failure: errors.RatekitError, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    retry = POLICY.retry(failure, 0, chance=0.0, now=MONTH)
    retry.log(LOG, "%s waits: %s", "unexpected error in %s", "a")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (level, f"a waits: {failure}")
    assert record.exc_info is None


def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    retry = POLICY.retry(ZeroDivisionError("a bug"), 0, chance=0.0, now=MONTH)
    retry.log(LOG, "%s waits: %s", "unexpected error in %s", "a")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "unexpected error in a")
    assert "ZeroDivisionError: a bug" in caplog.text


def test_a_back_end_is_down_after_three_requests_without_a_response() -> None:
    assert [POLICY.is_down(unanswered) for unanswered in range(5)] == [False] * 3 + [True] * 2
