"""Rating waits for metricd, for a limited time."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from ratekit.collectors.gnocchi.collector import GnocchiCollector
from tests.unit.collectors.gnocchi.fake_gnocchi import FakeGnocchi

HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


class Clocked:
    """A collector with a clock; it waits for an hour while more than ten measures wait."""

    def __init__(self, max_backlog: int | None = 10) -> None:
        self.gnocchi = FakeGnocchi([], [], {})
        self.now = NOON
        client: Any = self.gnocchi
        self.collector = GnocchiCollector(
            client, "project_id", HOUR, 2 * HOUR, max_backlog=max_backlog, clock=lambda: self.now
        )

    def not_ready(self, minute: float, backlog: int) -> str | None:
        self.now = NOON + minute * MINUTE
        self.gnocchi.backlog_size = backlog
        return self.collector.not_ready()


def test_without_a_limit_gnocchi_is_not_asked() -> None:
    gated = Clocked(None)
    assert gated.not_ready(0, 10**9) is None
    assert gated.gnocchi.requests == []


def test_up_to_the_limit_nothing_waits() -> None:
    gated = Clocked()
    assert gated.not_ready(0, 0) is None
    assert gated.not_ready(1, 10) is None
    assert gated.gnocchi.requests == ["backlog", "backlog"]


def test_while_more_measures_wait_it_returns_why_and_for_how_long() -> None:
    gated = Clocked()
    assert gated.not_ready(0, 1234) == (
        "Gnocchi's metricd has 1,234 measures to process, more than 10; rating continues when "
        "there are fewer, in 60 min at the latest"
    )
    assert "in 15 min" in str(gated.not_ready(45, 11))
    assert gated.not_ready(46, 10) is None


def test_after_the_wait_rating_continues_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    gated = Clocked()
    assert gated.not_ready(0, 11)
    assert gated.not_ready(59.9, 11)
    assert caplog.messages == []
    for minute in (60, 61, 600):
        assert gated.not_ready(minute, 11) is None
    assert caplog.messages == [
        "Gnocchi's metricd has 11 measures to process, more than 10, since 2026-01-01T12:00:00Z; "
        "rating continues, and measures that are processed later are not charged; see "
        "[collector_gnocchi] max_backlog_wait"
    ]


def test_a_backlog_that_returns_is_waited_for_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gated = Clocked()
    assert gated.not_ready(0, 11)
    assert gated.not_ready(50, 10) is None
    assert gated.not_ready(70, 11)
    assert gated.not_ready(129, 11)
    assert gated.not_ready(130, 11) is None
    assert gated.not_ready(140, 3) is None
    assert gated.not_ready(150, 11)
    assert len(caplog.messages) == 1
