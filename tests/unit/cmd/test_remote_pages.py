"""Summaries over an API that are more than one answer, and names that a query would change."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

import pytest

from ratekit.api.parts import Parts
from ratekit.domain.period import Window
from ratekit.domain.reporting.reports import SummaryPage
from ratekit.interfaces import Reports, Storage
from tests.api_server import serve
from tests.contract import given
from tests.unit.cmd.conftest import Shell, ask


def rate_hours(storage: Storage, count: int, start: datetime.datetime) -> None:
    """Charge two scopes 0.01 in each of some hours."""
    states = given.list_scopes(storage, "c3", "d4", start=start, resume=start, now=start)
    series = [
        given.build_series(scope, [("1", "0.01")] * count, begin=start) for scope in ("c3", "d4")
    ]
    storage.ledger.commit(given.batch(states, *series, periods=Window(start, given.HOUR, count)))


def limit_rows(parts: Parts, rows: int) -> Parts:
    return dataclasses.replace(parts, limits=dataclasses.replace(parts.limits, rows=rows))


def test_more_groups_than_an_answer_has_come_in_pages(
    ratekit: Shell, storage: Storage, parts: Parts
) -> None:
    rate_hours(storage, 150, given.hour(-700))
    words = "summary --begin 2026-01-30 --groupby scope,hour -f json"
    expected = ratekit(*words.split())
    assert len(expected.json()) == 303
    for rows in (100, 101, 303):
        with serve(limit_rows(parts, rows)) as url:
            assert ask(ratekit, url, words) == expected


class GrowingReports:
    """Reports of a ledger in which more is rated before each page but the first.

    :ivar times: how often at most
    """

    def __init__(self, reports: Reports, rate: Callable[[], None], times: int) -> None:
        self._reports = reports
        self._rate = rate
        self.times = times

    def summary_page(self, *arguments: Any) -> SummaryPage:
        page = arguments[3]
        if page.offset and self.times:
            self.times -= 1
            self._rate()
        return self._reports.summary_page(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reports, name)


@pytest.mark.parametrize("times", [1, 99])
def test_pages_of_several_instants_are_no_bill(
    ratekit: Shell, storage: Storage, parts: Parts, times: int
) -> None:
    rate_hours(storage, 150, given.hour(-700))

    def rate_another() -> None:
        # A group on the first page.
        (state,) = given.list_scopes(storage, "a1")
        begin = state.rated_until
        series = given.build_series("a1", [("1", "5")], begin=begin)
        storage.ledger.commit(given.batch([state], series, periods=Window(begin, given.HOUR, 1)))

    reports: Any = GrowingReports(parts.storage.reports, rate_another, times)
    changing = dataclasses.replace(
        limit_rows(parts, 100), storage=dataclasses.replace(parts.storage, reports=reports)
    )
    words = "summary --begin 2026-01-30 --groupby scope,hour -f json"
    with serve(changing) as url:
        answer = ask(ratekit, url, words)
    if times == 1:
        assert answer == ratekit(*words.split())
    else:
        assert (answer.code, answer.out) == (1, "")
        assert "the summary changes while its pages are read" in answer.err


def test_names_that_a_query_would_change_are_sent_as_they_are(
    ratekit: Shell, storage: Storage, url: str
) -> None:
    for name in ("a,b", " padded ", "x:y"):
        states = given.list_scopes(storage, name)
        series = given.build_series(name, [("1", "0.5")], metric=name)
        storage.ledger.commit(given.batch(states, series, periods=given.window(1)))
        words = ["summary", "--scope", name, "--metric", name, "-f", "json"]
        expected = ratekit(*words)
        assert expected.json()[0]["Price"] == "0.5"
        elsewhere = dataclasses.replace(ratekit, configured=False)
        answer = elsewhere("--os-auth-type", "none", "--os-endpoint", url, *words)
        assert (answer.code, answer.out) == (0, expected.out)


def test_a_label_that_a_query_would_change_is_sent_as_it_is(
    ratekit: Shell, storage: Storage, url: str
) -> None:
    states = given.list_scopes(storage, "a1")
    begin = states[0].rated_until
    prices = {"a, b": "0.5", "a": "0.25", "": "0.125"}
    series = [
        given.build_series("a1", [("1", price)], metric="port", labels={"name": name}, begin=begin)
        for name, price in prices.items()
    ]
    periods = Window(begin, given.HOUR, 1)
    storage.ledger.commit(given.batch(states, *series, periods=periods))
    for name, price in prices.items():
        words = ["explain", "--scope", "a1", "--metric", "port", "--offline", "-f", "json"]
        words += ["--period", begin.isoformat(), "--label", f"name={name}"]
        expected = ratekit(*words)
        assert expected.json()["Price"] == price
        elsewhere = dataclasses.replace(ratekit, configured=False)
        answer = elsewhere("--os-auth-type", "none", "--os-endpoint", url, *words)
        assert (answer.code, answer.out) == (0, expected.out)
