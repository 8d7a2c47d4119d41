"""Adds up what scopes cost: one column, by the scopes' numbers, so that many scopes take little."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal

import sqlalchemy as sa

from ratekit.domain.reporting.reports import ALL_SCOPES, AllScopes
from ratekit.storage.db.dialects import exact_sum
from ratekit.storage.db.lists import in_list
from ratekit.storage.db.types import tidy
from ratekit.storage.reports import selection as selecting
from ratekit.storage.schema import SCOPES, TOTALS


def read(
    connection: sa.Connection,
    scope_key: str,
    begin: datetime.datetime,
    end: datetime.datetime,
    scopes: AllScopes | frozenset[str],
    metric: str | None = None,
) -> Mapping[str, Decimal]:
    """Return the price of each scope that has usage in ``[begin, end)``, by two statements.

    A join of all totals with their scopes would take as long as the sums.
    """
    query = sa.select(SCOPES.c.id, SCOPES.c.scope_id).where(*selecting.of_scopes(scopes, scope_key))
    ids = {scope_pk: scope_id for scope_pk, scope_id in connection.execute(query)}
    table = TOTALS.c
    sums = (
        sa.select(table.scope_id, exact_sum(table.price))
        .where((table.begin >= begin) & (table.begin < end))
        .group_by(table.scope_id)
    )
    if metric is not None:
        sums = sums.where(table.metric == metric)
    if scopes is not ALL_SCOPES:
        sums = sums.where(in_list(table.scope_id, sorted(ids)))
    # Scopes of other keys have totals, too.
    return {
        ids[scope_pk]: tidy(price)
        for scope_pk, price in connection.execute(sums)
        if scope_pk in ids
    }
