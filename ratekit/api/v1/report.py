"""``/v1/report``: sums of what was charged."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pydantic

from ratekit.api.answers import AmountText, NaiveTime
from ratekit.api.arguments import Flag, Text, Words
from ratekit.api.faults import Fault
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.report_range import Range, purge_note, read_bounds, warning_headers
from ratekit.api.visibility import Demand
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import ALL_SCOPES, Page, Selection, SummaryRow

#: Words of ``groupby``, and the keys of reports.
_KEYS = {"tenant_id": "scope", "res_type": "metric"}
_ALL = "ALL"


class Total(Range):
    """Whose usage of what is added up.

    :ivar tenant_id: a project; default: that of the token
    :ivar service: only this metric
    :ivar all_tenants: of all projects; for administrators
    """

    tenant_id: Text | None = None
    service: Text | None = None
    all_tenants: Flag = False

    def demand(self, scope_key: str) -> Demand:
        """Return the one tenant, or all; a request for others is refused."""
        if self.all_tenants:
            return Demand(ALL_SCOPES, narrows=False)
        return Demand(frozenset({self.tenant_id}) if self.tenant_id else None, narrows=False)


class Summary(Total):
    """Whose usage of what is added up, and how it is split.

    :ivar groupby: ``tenant_id``, ``res_type`` or both
    """

    groupby: Words = ()


class SummaryEntry(pydantic.BaseModel):
    """The sum of a group; ``ALL``: it is not split."""

    begin: NaiveTime
    end: NaiveTime
    tenant_id: str
    res_type: str
    rate: AmountText


class TenantSummary(pydantic.BaseModel):
    """The sums, the smallest first."""

    summary: list[SummaryEntry]


def get_summary(call: Call[Summary]) -> Answer:
    """Return what was charged in a time range, by project and metric.

    Without `groupby` it is one sum; nothing charged: an empty list.
    """
    unknown = [word for word in call.arguments.groupby if word not in _KEYS]
    if unknown:
        raise Fault(400, f"groupby: expected tenant_id or res_type, not {unknown[0]!r}")
    selection = _select(call)
    groupby = [_KEYS[word] for word in call.arguments.groupby]
    rows = sorted(_sum(call, selection, groupby), key=lambda row: row.price)
    # What is filtered by has a name, too.
    scopes = selection.scopes
    names = {
        "scope": next(iter(scopes)) if scopes is not ALL_SCOPES and len(scopes) == 1 else _ALL,
        "metric": call.arguments.service or _ALL,
    }
    summary = [
        {
            "begin": selection.begin,
            "end": selection.end,
            "tenant_id": row.group.get("scope", names["scope"]),
            "res_type": row.group.get("metric", names["metric"]),
            "rate": row.price,
        }
        for row in rows
    ]
    return _answer(call, selection, {"summary": summary})


def get_total(call: Call[Total]) -> Answer:
    """Return what was charged in a time range, as one sum."""
    selection = _select(call)
    price: Decimal = add_up(row.price for row in _sum(call, selection, ()))
    return _answer(call, selection, price)


def list_tenants(call: Call[Range]) -> Answer:
    """List the projects that have usage in a time range."""
    selection = Selection(*read_bounds(call.arguments, call.parts), scopes=call.scopes)
    rows = call.parts.storage.reports.summary(selection, ("scope",), datetime.UTC)
    return _answer(call, selection, [row.group["scope"] for row in rows])


def _select(call: Call[Any]) -> Selection:
    begin, end = read_bounds(call.arguments, call.parts)
    service = call.arguments.service
    return Selection(begin, end, scopes=call.scopes, metrics=(service,) if service else ())


def _sum(call: Call[Any], selection: Selection, groupby: Sequence[str]) -> Sequence[SummaryRow]:
    """Return the sums by group.

    :raises ratekit.api.faults.Fault: there are too many
    """
    maximum = call.parts.limits.rows
    page = Page(limit=maximum + 1)
    rows = list(call.parts.storage.reports.summary(selection, groupby, datetime.UTC, page))
    if len(rows) > maximum:
        raise Fault(
            400,
            f"the summary has more than {maximum:,} groups ([api] max_rows); choose one tenant_id "
            "or service, or use /v2/summary with limit and offset",
        )
    return rows


def _answer(call: Call[Any], selection: Selection, body: object) -> Answer:
    assert selection.begin is not None, "reports start somewhere"
    note = purge_note(call.parts, selection.begin, from_totals=True)
    return Answer(body, headers=warning_headers(note))


OPERATIONS = [
    Operation(
        "GET", "/v1/report/summary", get_summary, "report:get_summary", Summary, TenantSummary
    ),
    Operation("GET", "/v1/report/total", get_total, "report:get_total", Total, AmountText),
    Operation("GET", "/v1/report/tenants", list_tenants, "report:list_tenants", Range, list[str]),
]
