"""A storage made of the fakes, so that the contract tests prove them."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from ratekit.domain.reporting.coverage import CoverageFacts, RatedSpan
from ratekit.domain.reporting.reports import (
    ALL_SCOPES,
    EVERYTHING,
    AllScopes,
    FrameRow,
    Page,
    Selection,
    StateRow,
    SummaryPage,
    SummaryRow,
)
from ratekit.interfaces import Reports, Storage
from tests.fakes import FakeLedger, FakeRules


class FakeReports(Reports):
    """Reads back what a :class:`FakeLedger` keeps: scopes, frames without labels, and the total."""

    def __init__(self, ledger: FakeLedger) -> None:
        self._ledger = ledger

    def scopes(self, ids: AllScopes | frozenset[str]) -> Sequence[StateRow]:
        return [
            StateRow(
                id=id_,
                name=state.scope.name,
                rated_until=state.rated_until,
                active=id_ in self._ledger.active,
                failures=state.failures,
                last_error=self._ledger.errors.get(id_),
                retry_at=state.retry_at,
                last_seen=state.last_seen,
                fetcher="",
                collector="",
                scope_key="",
            )
            for id_, state in sorted(self._ledger.states.items())
            if isinstance(ids, AllScopes) or id_ in ids
        ]

    def frames(self, selection: Selection, page: Page = EVERYTHING) -> Iterator[FrameRow]:
        assert page == EVERYTHING
        assert selection == Selection(scopes=selection.scopes)
        for key, (quantity, price) in sorted(self._ledger.frames.items()):
            scope, metric, begin = key
            if selection.scopes is ALL_SCOPES or scope in selection.scopes:
                shared = self._ledger.shared.get(key)
                yield FrameRow(begin, scope, metric, "", quantity, price, {}, {}, shared)

    def newest_usage(
        self, metrics: Collection[str], scopes: AllScopes | frozenset[str]
    ) -> Iterator[FrameRow]:
        raise NotImplementedError

    def count_frames(self, selection: Selection) -> int:
        raise NotImplementedError

    def summary_page(
        self,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
        page: Page,
        max_groups: int | None = None,
    ) -> SummaryPage:
        raise NotImplementedError

    def summary(
        self,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
        page: Page = EVERYTHING,
    ) -> Iterator[SummaryRow]:
        assert not groupby
        assert page == EVERYTHING
        prices = [row.price for row in self.frames(selection)]
        if prices:
            yield SummaryRow({}, len(prices), None, None, sum(prices, Decimal(0)))

    def prices(
        self,
        begin: datetime.datetime,
        end: datetime.datetime,
        scopes: AllScopes | frozenset[str],
        metric: str | None = None,
    ) -> Mapping[str, Decimal]:
        raise NotImplementedError

    def labels(self) -> Mapping[str, Collection[str]]:
        raise NotImplementedError

    def snapshot(self) -> contextlib.AbstractContextManager[Reports]:
        raise NotImplementedError

    def rated_spans(
        self, scopes: frozenset[str], begin: datetime.datetime, end: datetime.datetime
    ) -> Mapping[str, RatedSpan]:
        raise NotImplementedError

    def coverage(
        self, scope_id: str, begin: datetime.datetime, end: datetime.datetime
    ) -> CoverageFacts:
        raise NotImplementedError


def open_fake_storage() -> Storage:
    """Return an empty storage that has a ledger, rules and reports, and no other part."""
    rules = FakeRules(version=0)
    ledger = FakeLedger(rules)
    missing = cast(Any, None)
    return Storage(
        ledger=ledger,
        rules=rules,
        reports=FakeReports(ledger),
        scopes=missing,
        tasks=missing,
        task_ledger=missing,
        monitoring=missing,
        purge=missing,
        processes=1,
    )
