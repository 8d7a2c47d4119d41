"""``/v2/summary``: a bill, by whatever it is to be split."""

from __future__ import annotations

import datetime
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, Literal

import pydantic

from ratekit import errors
from ratekit.admin import zones
from ratekit.api.answers import Amount, Time
from ratekit.api.arguments import LocalTime, Text, Words, Zone
from ratekit.api.faults import Fault
from ratekit.api.operation import JSON, Answer, Call, Operation
from ratekit.api.report_range import purge_note, read_ordered_bounds, warning_headers
from ratekit.api.streams import Stream
from ratekit.api.v2 import filters
from ratekit.api.v2.columns import BILL_FIELDS, FIELDS, Field, Table, read_fields, read_key
from ratekit.domain.reporting.reports import Page, Selection, SummaryPage, SummaryRow
from ratekit.export.csv_text import CSV, write_rows

_TABLE, _OBJECT, _CSV = "table", "object", "csv"


class SummaryFilter(filters.Filtered):
    """The frames that are added up, how the sums are split, and how they are written.

    :ivar begin: the first period that may start; default: the start of this month
    :ivar end: later ones are left out, and one that starts then; default: the start of next month
    :ivar zone: time zone of hours, days, weeks, months and years, of ``begin`` and ``end`` without
        an offset, and of the times in the answer, such as ``Europe/Berlin``; default: UTC
    :ivar groupby: ``type`` (the metric), the scope key (``project_id``), labels, ``time`` (each
        period), ``time-h``, ``time-d``, ``time-w``, ``time-m``, ``time-y``; repeated or separated
        by commas
    :ivar custom_fields: columns in place of ``qty`` and ``rate``: ``SUM(qty)``, ``SUM(price)``,
        ``COUNT(qty)`` and ``UNIT(qty)``, each with ``AS`` and a name, separated by commas
    :ivar response_format: ``table``, ``object`` or ``csv``; default: ``table``, or ``csv`` if the
        header Accept asks for it
    """

    begin: LocalTime | None = None
    end: LocalTime | None = None
    zone: Zone = zones.UTC
    groupby: Words = ()
    custom_fields: Text | None = None
    response_format: Literal["table", "object", "csv"] | None = None


class GroupedSummary(pydantic.BaseModel):
    """Groups with their sums; ``columns`` only in tables.

    ``total`` is the number of groups without a limit. ``rated_until``, where one scope is
    selected, is the time until which its usage is rated: later usage is not yet in the sums.
    ``note``: what the report lacks.
    """

    total: int
    columns: list[str] = []
    results: list[list[Amount | Time | str | None]] | list[dict[str, Amount | Time | str | None]]
    format: str
    rated_until: Time | None = None
    note: str = ""


def get_summary(call: Call[SummaryFilter]) -> Answer:
    """Return sums of usage and price in a time range, by group.

    Without `limit` all groups are returned, or none if there are too many. `qty` is null where a
    group has several units. Times split by calendar have the number of the hour, day, week, month
    or year as a column, and the range that was added up as `begin` and `end`.
    """
    arguments = call.arguments
    form = arguments.response_format or (_CSV if call.media == CSV else _TABLE)
    zone = zones.read_zone(arguments.zone)
    selection = filters.select(call, read_ordered_bounds(arguments, call.parts, zone))
    table = _read_table(call, selection, form, zone)
    summary = _read_page(call, selection, table)
    assert selection.begin is not None, "reports start somewhere"
    from_totals = not selection.labels and table.has_no_labels
    note = purge_note(call.parts, selection.begin, from_totals)
    headers = warning_headers(note)
    if form == _CSV:
        return _answer_csv(table, summary.rows, headers)
    body: dict[str, Any] = {"total": summary.total}
    results: Iterable[Any] = map(table.row, summary.rows)
    if form == _TABLE:
        body["columns"] = table.columns()
    else:
        results = (dict(zip(table.columns(), row, strict=True)) for row in results)
    body |= {"results": list(results), "format": form, "rated_until": summary.rated_until}
    if note is not None:
        body["note"] = note
    return Answer(body, headers=headers)


def _read_table(
    call: Call[SummaryFilter], selection: Selection, form: str, zone: datetime.tzinfo
) -> Table:
    arguments, limit = call.arguments, call.parts.limits.groupby
    count = len(arguments.groupby)
    if count > limit:
        raise Fault(
            400, f"groupby: expected at most {limit} words ([api] max_groupby), not {count}"
        )
    label_of = filters.label_names(call.parts)
    scope_key = call.parts.conf.collect.scope_key
    keys = [
        read_key(word, scope_key, filters.METRIC_WORDS, label_of(word))
        for word in arguments.groupby
    ]
    fields: Sequence[Field] = BILL_FIELDS if form == _CSV else FIELDS
    if arguments.custom_fields is not None:
        fields = read_fields(arguments.custom_fields)
    assert selection.begin is not None, "reports start somewhere"
    assert selection.end is not None, "reports end somewhere"
    return Table(selection.begin, selection.end, call.parts.calendar.step, keys, fields, zone)


def _read_page(call: Call[SummaryFilter], selection: Selection, table: Table) -> SummaryPage:
    """Return a page of groups, and how many groups there are.

    :raises ratekit.api.faults.Fault: there are more than are returned without a limit, or than are
        held in memory
    """
    offset, maximum = call.arguments.offset, call.parts.limits.rows
    limit = maximum + 1 if call.arguments.limit is None else call.arguments.limit
    filters.require_page(call, limit - (call.arguments.limit is None))
    try:
        summary = call.parts.storage.reports.summary_page(
            selection, table.groupby, table.zone, Page(offset, limit), maximum
        )
    except errors.TooManyGroups:
        raise Fault(
            400,
            f"the summary has more than {maximum:,} groups by labels ([api] max_rows); choose "
            "a shorter time range, fewer words in groupby, or more filters",
        ) from None
    if len(summary.rows) > maximum:
        raise Fault(
            400,
            f"the summary has more than {maximum:,} groups ([api] max_rows); use limit and offset, "
            "or a shorter time range",
            # For programs, which then ask for pages.
            X_Max_Rows=str(maximum),
        )
    return summary


def _answer_csv(table: Table, rows: Iterable[SummaryRow], headers: Mapping[str, str]) -> Answer:
    def lines() -> Generator[bytes, None, None]:
        yield from write_rows(
            [table.columns(sums_last=True), *(table.row(row, sums_last=True) for row in rows)]
        )

    begin, end = (instant.astimezone(table.zone) for instant in (table.begin, table.end))
    name = f"summary-{begin:%Y-%m-%d}-{end:%Y-%m-%d}.csv"
    disposition = f'attachment; filename="{name}"'
    return Answer(
        stream=Stream(lines()),
        headers={
            "Content-Type": f"{CSV}; charset=utf-8",
            "Content-Disposition": disposition,
            **headers,
        },
    )


OPERATIONS = [
    Operation(
        "GET", "/v2/summary", get_summary, "summary:get_summary", SummaryFilter, GroupedSummary,
        media=(JSON, CSV),
    ),
]  # fmt: skip
