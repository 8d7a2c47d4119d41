"""Rating waits for metricd, but not for ever."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from ratekit.collectors.gnocchi.collector import GnocchiCollector
from tests.unit.collectors.gnocchi.archive import Archive

HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


class Waiting:
    """A collector that lets ten measures wait, for an hour."""

    def __init__(self, most: int | None = 10) -> None:
        self.archive = Archive([], [], {})
        self.now = NOON
        client: Any = self.archive
        self.collector = GnocchiCollector(
            client, "project_id", HOUR, 2 * HOUR, max_backlog=most, clock=lambda: self.now
        )

    def at(self, minute: float, waiting: int) -> str | None:
        self.now = NOON + minute * MINUTE
        self.archive.waiting = waiting
        return self.collector.not_ready()


def test_without_a_limit_gnocchi_is_not_asked() -> None:
    waiting = Waiting(None)
    assert waiting.at(0, 10**9) is None
    assert waiting.archive.asked == []


def test_up_to_the_limit_nothing_waits() -> None:
    waiting = Waiting()
    assert waiting.at(0, 0) is None
    assert waiting.at(1, 10) is None
    assert waiting.archive.asked == ["backlog", "backlog"]


def test_while_more_measures_wait_it_says_why_and_for_how_long() -> None:
    waiting = Waiting()
    assert waiting.at(0, 1234) == (
        "1,234 measures wait for Gnocchi's metricd, more than 10: rating goes on when there are "
        "fewer, in 60 min at the latest"
    )
    assert "in 15 min" in str(waiting.at(45, 11))
    assert waiting.at(46, 10) is None


def test_after_the_wait_it_goes_on_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    waiting = Waiting()
    assert waiting.at(0, 11)
    assert waiting.at(59.9, 11)
    assert caplog.messages == []
    for minute in (60, 61, 600):
        assert waiting.at(minute, 11) is None
    [told] = caplog.messages
    assert told.startswith(
        "11 measures wait for Gnocchi's metricd, more than 10, since 2026-01-01T12:00:00Z: "
    )


def test_a_backlog_that_went_away_in_between_is_waited_for_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waiting = Waiting()
    assert waiting.at(0, 11)
    assert waiting.at(50, 10) is None
    assert waiting.at(70, 11)
    assert waiting.at(129, 11)
    assert waiting.at(130, 11) is None
    assert waiting.at(140, 3) is None
    assert waiting.at(150, 11)
    assert len(caplog.messages) == 1
