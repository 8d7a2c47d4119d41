"""Scopes as an API lists them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit import errors
from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import GapSpan, Kind, PeriodCoverage
from ratekit.domain.reporting.exclusion import Exclusion, ExclusionSpan
from ratekit.domain.reporting.reports import StateRow
from ratekit.domain.reporting.scope_report import ChargeTotal, ScopeCoverage, ScopeReport
from ratekit.remote.client import Client, reading_answers


@reading_answers()
def list_scopes(
    client: Client,
) -> tuple[Sequence[StateRow], Mapping[str, datetime.timedelta]]:
    """Return all scopes, and how far each that is rated is behind what is due, by its ID.

    :raises ratekit.errors.AccessDenied: the user may not list them
    """
    try:
        entries = client.get("/v2/scope")["results"]
    except errors.NotFound:
        # The API's word for an empty list.
        return [], {}
    lags = {
        entry["scope_id"]: datetime.timedelta(seconds=entry["lag"])
        for entry in entries
        if entry["lag"] is not None
    }
    return [_read(entry) for entry in entries], lags


@reading_answers()
def read_report(client: Client, scope_id: str, count: int) -> ScopeReport:
    """Return what is known of a scope.

    :param count: number of periods
    :raises ratekit.errors.NotFound: there is no such scope, or the user may not see it
    """
    body = client.get("/v2/scope/coverage", scope_id=scope_id, periods=count)
    step = datetime.timedelta(seconds=body["period"])
    lag, charges = body["scope"]["lag"], body["charges"]
    return ScopeReport(
        _read(body["scope"]),
        None if lag is None else datetime.timedelta(seconds=lag),
        Window(_instant(body["begin"]), step, count),
        _read_coverage(body, scope_id),
        ChargeTotal(_instant(charges["since"]), charges["frames"], Decimal(charges["price"])),
    )


def _read_coverage(body: Mapping[str, Any], scope_id: str) -> ScopeCoverage:
    return ScopeCoverage(
        {
            entry["metric"]: [
                PeriodCoverage(_instant(cell["begin"]), Kind(cell["state"]), cell["points"])
                for cell in entry["periods"]
            ]
            for entry in body["metrics"]
        },
        [GapSpan(_instant(gap["last_instant"]), _time(gap["resume"])) for gap in body["gaps"]],
        [
            ExclusionSpan(
                Exclusion(
                    scope_id, span["metric"], span["resource"], span["reason"], span["remedy"]
                ),
                _instant(span["begin"]),
                _instant(span["end"]),
            )
            for span in body["exclusions"]
        ],
    )


def _read(entry: Mapping[str, Any]) -> StateRow:
    return StateRow(
        id=entry["scope_id"],
        name=entry["name"],
        rated_until=_instant(entry["last_processed_timestamp"]),
        active=entry["listed"],
        failures=entry["failures"],
        last_error=entry["last_error"],
        retry_at=_time(entry["retry_at"]),
        last_seen=_instant(entry["last_seen"]),
        fetcher=entry["fetcher"],
        collector=entry["collector"],
        scope_key=entry["scope_key"],
        deactivated_at=_time(entry["scope_activation_toggle_date"]),
    )


def _time(text: str | None) -> datetime.datetime | None:
    return None if text is None else _instant(text)


def _instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
