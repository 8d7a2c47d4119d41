"""Scopes as an API lists them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from ratekit import errors
from ratekit.domain.reporting.reports import StateRow
from ratekit.remote.client import Client


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


def _read(entry: Mapping[str, Any]) -> StateRow:
    return StateRow(
        id=entry["scope_id"],
        name=entry["name"],
        rated_until=datetime.datetime.fromisoformat(entry["last_processed_timestamp"]),
        active=entry["listed"],
        failures=entry["failures"],
        last_error=entry["last_error"],
        retry_at=_time(entry["retry_at"]),
        last_seen=datetime.datetime.fromisoformat(entry["last_seen"]),
        fetcher=entry["fetcher"],
        collector=entry["collector"],
        scope_key=entry["scope_key"],
        deactivated_at=_time(entry["scope_activation_toggle_date"]),
    )


def _time(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)
