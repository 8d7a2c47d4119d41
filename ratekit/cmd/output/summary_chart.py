"""A summary as bars: a bar for each time or group, in parts by the other key."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.cmd.output import bar_chart, cells
from ratekit.cmd.output.bar_chart import Bar, Screen
from ratekit.cmd.output.key_columns import KeyColumns, time_text
from ratekit.domain.exact import EXACT, ZERO, round_places
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.buckets import BUCKETS, list_buckets
from ratekit.domain.reporting.reports import SummaryRow
from ratekit.text import count_text, printable

#: Bars of times, which are all drawn, and of groups, of which the largest are.
_MAX_TIMES, _MAX_GROUPS = 100, 30
_PRICE, _ABSENT, _OTHERS = "price", "(none)", "others"
_INSTANT = datetime.timedelta(microseconds=1)

_Parts = dict[str, Decimal]


def draw(
    rows: Sequence[SummaryRow],
    keys: KeyColumns,
    zone: datetime.tzinfo,
    places: int,
    screen: Screen,
) -> Iterator[str]:
    """Yield the lines of a chart of prices.

    :param rows: at least one; grouped by one or two keys, one time at most
    :param keys: for people
    :param places: decimal places of prices; small ones have more
    :raises ratekit.errors.OperatorError: there are too many bars
    """
    time = next((key for key in keys.keys if key in BUCKETS), None)
    bar_key = time or keys.keys[0]
    part_key = next((key for key in keys.keys if key != bar_key), None)
    bars: dict[str, _Parts] = {}
    if time is not None:
        bars = {name: {} for name in _list_times(rows, time, zone)}
    for row in rows:
        names = _names(row, keys)
        parts = bars.setdefault(names[bar_key], {})
        part = _PRICE if part_key is None else names[part_key]
        parts[part] = EXACT.add(parts.get(part, ZERO), row.price)
    if time is None:
        bars = dict(_merge(bars, _MAX_GROUPS))
    order = _order_parts(bars)
    shown_parts = order if len(order) <= bar_chart.MAX_PARTS else order[: bar_chart.MAX_PARTS - 1]
    if len(shown_parts) < len(order):
        bars = {name: _fold(parts, shown_parts) for name, parts in bars.items()}
        shown_parts = [*shown_parts, _OTHERS]

    def write(price: Decimal) -> str:
        if price and not round_places(price, places):
            return str(cells.short_amount(price, places).text)
        return cells.decimal_text(price, places)

    lines = [Bar(name, parts) for name, parts in bars.items()]
    yield from bar_chart.draw(lines, shown_parts, write, screen)


def _names(row: SummaryRow, keys: KeyColumns) -> Mapping[str, str]:
    values = keys.values(row.group)
    texts = (printable(str(cell.text or _ABSENT)) for cell in values)
    return dict(zip(keys.keys, texts, strict=True))


def _list_times(rows: Sequence[SummaryRow], time: str, zone: datetime.tzinfo) -> Iterator[str]:
    """Yield the names of all times from the first to the last, also of those without frames."""
    starts = [start for row in rows if isinstance(start := row.group[time], datetime.datetime)]
    first, last = (
        bound(start.astimezone(datetime.UTC) for start in starts) for bound in (min, max)
    )
    times = list_buckets(first, last + _INSTANT, time, zone, _MAX_TIMES)
    if len(times) > _MAX_TIMES:
        raise errors.OperatorError(
            f"--chart: expected at most {count_text(_MAX_TIMES, time)}, which are bars; choose a "
            "shorter time range or another time"
        )
    for start in times:
        yield printable(time_text(start.astimezone(zone), time))


def _merge(bars: Mapping[str, _Parts], limit: int) -> Iterator[tuple[str, _Parts]]:
    """Yield the largest bars, and one for all others together."""
    ordered = sorted(bars.items(), key=lambda bar: add_up(bar[1].values()), reverse=True)
    yield from ordered[:limit]
    rest = ordered[limit:]
    if rest:
        sums: _Parts = {}
        for _, parts in rest:
            for part, price in parts.items():
                sums[part] = EXACT.add(sums.get(part, ZERO), price)
        yield f"{len(rest):,} {_OTHERS}", sums


def _order_parts(bars: Mapping[str, _Parts]) -> list[str]:
    """Return the names of parts, the largest in total first."""
    sums: _Parts = {}
    for parts in bars.values():
        for part, price in parts.items():
            sums[part] = EXACT.add(sums.get(part, ZERO), price.copy_abs())
    return sorted(sums, key=lambda part: (-sums[part], part))


def _fold(parts: _Parts, names: Iterable[str]) -> _Parts:
    shown = {name: parts[name] for name in names if name in parts}
    return {**shown, _OTHERS: add_up(parts[name] for name in parts.keys() - shown.keys())}
