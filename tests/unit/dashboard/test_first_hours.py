"""What pages say while little, or nothing, is rated yet."""

from __future__ import annotations

import datetime

from tests.contract.given import HOUR, START, batch, build_series, list_scopes, window
from tests.page_client import PageClient


def test_without_any_rule_no_usage_is_called_free(pages: PageClient) -> None:
    words = pages.get("/dashboard/prices", "p1").words
    assert "No price: no usage is rated until there are price rules." in words
    assert "free" not in words


def test_what_came_due_a_moment_ago_is_not_said_to_be_rated(pages: PageClient) -> None:
    states = list_scopes(pages.parts.storage, "p1")
    usage = build_series("p1", [("1", "1")])
    pages.parts.storage.ledger.commit(batch(states, usage, periods=window(1)))
    pages.replace(clock=lambda: START + 3 * HOUR + datetime.timedelta(minutes=5))
    words = pages.get("/dashboard/status").words
    assert "rated, but for what came due in the last 15 min." in words
    assert "No processor is running, so nothing more will be." in words
