"""Adds up what scopes cost: one column, so that many scopes take little."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal

import sqlalchemy as sa

from ratekit.domain.reporting.reports import AllScopes, Selection
from ratekit.storage.db.dialects import exact_sum, has_lateral
from ratekit.storage.db.types import tidy
from ratekit.storage.reports import sources
from ratekit.storage.schema import SCOPES


def read(
    connection: sa.Connection,
    scope_key: str,
    begin: datetime.datetime,
    end: datetime.datetime,
    scopes: AllScopes | frozenset[str],
    metric: str | None = None,
) -> Mapping[str, Decimal]:
    """Return the price of each scope that has usage in ``[begin, end)``."""
    prices = sources.select(
        Selection(begin, end, scopes=scopes, metrics=() if metric is None else (metric,)),
        scope_key,
        (),
        sources.SumColumns(
            lambda table: [table.c.scope_id],
            lambda columns: [exact_sum(columns["price"]).label("price")],
        ),
        has_lateral(connection.dialect),
    ).subquery()
    # Numbers are grouped faster than names.
    named = prices.join(SCOPES, SCOPES.c.id == prices.c.scope_id)
    query = sa.select(SCOPES.c.scope_id, prices.c.price).select_from(named)
    return {scope_id: tidy(price) for scope_id, price in connection.execute(query)}
