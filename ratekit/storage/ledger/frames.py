"""Writes series and prices as rows of ``frames`` and ``totals``."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.domain.series import RatedSeries
from ratekit.storage.db import bulk
from ratekit.storage.db.bulk import Notation
from ratekit.storage.ledger.descriptors import Resolver
from ratekit.storage.ledger.slices import slices
from ratekit.storage.ledger.sums import Total
from ratekit.storage.schema import FRAMES, TOTALS

_FRAME = ("scope_id", "begin", "descriptor_id", "quantity", "price")
#: The columns where a quantity may be shared.
_SHARED_FRAME = (*_FRAME, "whole", "share")
#: Columns of ``totals``, in the order of the fields of :class:`Total`.
_TOTAL = ("scope_id", "begin", "metric", "unit", "points", "quantity", "price")

#: The start of each period in the databases' notation.
BeginTexts = Mapping[datetime.datetime, str]


def begin_texts(begins: Iterable[datetime.datetime]) -> BeginTexts:
    """Return instants in the databases' notation: naive UTC with microseconds."""
    return {begin: begin.replace(tzinfo=None).isoformat(" ", "microseconds") for begin in begins}


def require_begins(totals: Iterable[Total], texts: BeginTexts) -> None:
    """:raises KeyError: a total whose begin is not in ``texts``."""
    for total in totals:
        _ = texts[total.begin]


def write_frames(
    connection: sa.Connection,
    rated_series: Iterable[RatedSeries],
    scope_pks: Mapping[str, int],
    resolver: Resolver,
    texts: BeginTexts,
) -> int:
    """Write one frame for each point, and return their number.

    :func:`ratekit.storage.ledger.sums.sum_up` must have checked the values. It takes the same
    number of statements for each slice of the series; one slice is in memory.

    :param rated_series: is read once
    :param scope_pks: id of the row of each scope; series of other scopes are skipped
    :raises KeyError: a point whose begin is not in ``texts``
    """
    count = 0
    of_scopes = (rated for rated in rated_series if rated.series.scope in scope_pks)
    for part in slices(of_scopes):
        ids = resolver.resolve(connection, [rated.series for rated in part])
        _write(connection, part, scope_pks, ids, texts)
        count += sum(len(rated.prices) for rated in part)
    return count


def write_totals(connection: sa.Connection, totals: Iterable[Total], texts: BeginTexts) -> None:
    """Write totals.

    :raises KeyError: a total whose begin is not in ``texts``
    """
    bulk.insert_values(connection, TOTALS, _TOTAL, _total_rows(totals, texts))


def read_totals(connection: sa.Connection, scope_pk: int, window: Window) -> list[Total]:
    """Return a scope's totals of periods that begin in ``window``."""
    query = sa.select(*(TOTALS.c[name] for name in _TOTAL))
    query = query.where(TOTALS.c.scope_id == scope_pk)
    rows = query.where((TOTALS.c.begin >= window.begin) & (TOTALS.c.begin < window.end))
    return [Total(*row) for row in connection.execute(rows)]


def remove(connection: sa.Connection, scope_pk: int, window: Window) -> None:
    """Remove a scope's frames and totals of periods that begin in ``window``."""
    for table in (FRAMES, TOTALS):
        since = (table.c.scope_id == scope_pk) & (table.c.begin >= window.begin)
        connection.execute(table.delete().where(since & (table.c.begin < window.end)))


def _write(
    connection: sa.Connection,
    part: Sequence[RatedSeries],
    scope_pks: Mapping[str, int],
    descriptor_ids: Sequence[int],
    texts: BeginTexts,
) -> None:
    """Write the frames of one slice, by one statement."""
    # Where nothing is shared, rows do not pay for two more columns.
    shared = any(rated.series.shared for rated in part)
    columns = _SHARED_FRAME if shared else _FRAME
    notation = bulk.notation(connection)
    if notation is None:
        rows = _rows(part, scope_pks, descriptor_ids, texts, shared)
        bulk.insert_values(connection, FRAMES, columns, rows)
    else:
        lines = _texts(part, scope_pks, descriptor_ids, texts, notation, shared)
        bulk.insert_texts(connection, FRAMES, columns, lines)


def _texts(
    part: Iterable[RatedSeries],
    scope_pks: Mapping[str, int],
    descriptor_ids: Iterable[int],
    texts: BeginTexts,
    notation: Notation,
    shared: bool,
) -> Iterator[str]:
    opening, comma, closing, nulls_closing = notation
    default_end = nulls_closing if shared else closing
    for rated, descriptor_id in zip(part, descriptor_ids, strict=True):
        series = rated.series
        head, middle = (
            f"{opening}{scope_pks[series.scope]}{comma}",
            f"{comma}{descriptor_id}{comma}",
        )
        for (begin, quantity), price in zip(series.points, rated.prices, strict=True):
            end = default_end
            if series.shared and begin in series.shared:
                whole, share = series.shared[begin]
                end = f"{comma}{whole!s}{comma}{share!s}{closing}"
            # !s, because a decimal's own format() takes twice as long.
            yield f"{head}{texts[begin]}{middle}{quantity!s}{comma}{price!s}{end}"


def _rows(
    part: Iterable[RatedSeries],
    scope_pks: Mapping[str, int],
    descriptor_ids: Iterable[int],
    texts: BeginTexts,
    shared: bool,
) -> Iterator[tuple[bulk.Value, ...]]:
    for rated, descriptor_id in zip(part, descriptor_ids, strict=True):
        series = rated.series
        scope_pk = scope_pks[series.scope]
        for (begin, quantity), price in zip(series.points, rated.prices, strict=True):
            row = scope_pk, texts[begin], descriptor_id, str(quantity), str(price)
            if not shared:
                yield row
            elif begin in series.shared:
                whole, share = series.shared[begin]
                yield *row, str(whole), str(share)
            else:
                yield *row, None, None


def _total_rows(totals: Iterable[Total], texts: BeginTexts) -> Iterator[tuple[bulk.Value, ...]]:
    for scope_pk, begin, metric, unit, points, quantity, price in totals:
        yield scope_pk, texts[begin], metric, unit, points, str(quantity), str(price)
