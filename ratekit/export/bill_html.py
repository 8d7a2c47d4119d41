"""A bill as one HTML file: no network, no script, and it prints."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup

from ratekit.admin.bill import Bill, Part, Statement
from ratekit.domain.exact import EXACT
from ratekit.domain.reporting.bill import add_up, rounding_gap
from ratekit.export.bill_notes import Note, part_notes, statement_notes
from ratekit.export.price_rows import PriceRow, price_rows
from ratekit.html.charts import Bar, bars, stacked_bars
from ratekit.html.environment import STYLESHEETS, read_static, render
from ratekit.html.formats import Formats
from ratekit.text import printable

_FORMS = {"hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
#: Bars of more projects are too many to compare.
_PROJECT_BARS = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Issue:
    """When and of what a bill is written.

    :ivar at: UTC
    :ivar version: of ratekit
    :ivar everything: of all projects, not of chosen ones
    :ivar metrics: the only ones in it; empty: all
    :ivar step: length of a period
    :ivar has_rules: prices come from rules, which the bill lists
    """

    at: datetime.datetime
    version: str
    everything: bool
    metrics: Sequence[str]
    step: datetime.timedelta
    has_rules: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _PartView:
    """A project's part as the template shows it."""

    part: Part
    notes: Sequence[Note]
    chart: Markup
    resources: Markup | None
    days: Sequence[tuple[str, Decimal | None]]
    gap: Decimal
    prices: Sequence[PriceRow]


def render_bill(statement: Statement, formats: Formats, issue: Issue) -> str:
    """Return a statement as an HTML document."""
    title = printable(_title(statement, issue))
    period = formats.period(statement.whole.begin, statement.whole.end)
    styles = _styles(f"{title}, {period}")
    is_single = statement.project_count == 1
    parts = [_view(part, formats, issue, is_single) for part in statement.parts]
    whole = statement.whole
    values = {
        "statement": statement,
        "title": title,
        "period": period,
        "hidden_projects": statement.project_count - len(statement.projects),
        "hidden_price": EXACT.subtract(
            whole.total, add_up(row.price for row in statement.projects)
        ),
        "hidden_parts": statement.project_count - len(parts),
        "whole": whole,
        "issue": issue,
        "parts_views": parts,
        "single": parts[0] if is_single else None,
        "notes": list(statement_notes(statement, formats)),
        "chart": _time_chart(whole, formats),
        "project_chart": bars(
            "Dearest projects",
            [Bar(row.name or row.id, row.price) for row in statement.projects[:_PROJECT_BARS]],
            formats.currency,
            formats.amount,
        ),
        "gap": _gap(whole, formats, [row.price for row in statement.projects]),
        "prices": _prices(statement, whole, formats, issue),
        # The text is the package's own; quotes in it must stay quotes.
        "styles": Markup(styles),
        "style_hash": base64.b64encode(hashlib.sha256(styles.encode()).digest()).decode(),
    }
    return str(render("bill.html", formats, values))


def _title(statement: Statement, issue: Issue) -> str:
    """Return whose bill it is."""
    if statement.project_count == 1:
        [project] = statement.projects
        return f"Bill of {project.name or project.id}"
    return "Bill of all projects" if issue.everything else "Bill of several projects"


def _styles(head: str) -> str:
    """Return the stylesheet, by which each page on paper has a head."""
    sheets = [read_static(name).decode() for name in (*STYLESHEETS, "bill.css")]
    return "\n".join([*sheets, f"@page {{ @top-left {{ content: {_css_text(head)}; }} }}", ""])


def _css_text(text: str) -> str:
    """Return a text as CSS, in which a letter of any other meaning is a number."""
    safe = (char if char.isascii() and char.isalnum() else f"\\{ord(char):x} " for char in text)
    return f'"{"".join(safe)}"'


def _view(part: Part, formats: Formats, issue: Issue, is_single: bool) -> _PartView:
    bill = part.bill
    resources = None
    if bill.resources is not None:
        resources = bars(
            "Dearest resources",
            [Bar(_resource_title(cost.id, cost.names), cost.price) for cost in bill.resources],
            formats.currency,
            formats.amount,
        )
    return _PartView(
        part,
        list(part_notes(part, formats)),
        _time_chart(bill, formats),
        resources,
        list(zip(_bucket_texts(bill, formats), _rated_totals(bill), strict=True)),
        _gap(bill, formats, bill.totals if is_single else []),
        _prices(part, bill, formats, issue),
    )


def _resource_title(id_: str | None, names: Sequence[str]) -> str:
    if id_ is None:
        return "usage of no resource"
    return f"{', '.join(names)} ({id_})" if names else id_


def _time_chart(bill: Bill, formats: Formats) -> Markup:
    texts = _bucket_texts(bill, formats)
    title = f"Costs by {bill.bucket}"
    return stacked_bars(title, texts, bill.prices, formats.currency, value_text=formats.amount)


def _bucket_texts(bill: Bill, formats: Formats) -> list[str]:
    form = _FORMS[bill.bucket]
    return formats.starts(bill.starts, form)


def _rated_totals(bill: Bill) -> Sequence[Decimal | None]:
    """Return the sums of buckets; None: nothing in it is rated yet."""
    until = bill.rated_until
    return [
        None if until is None or (start >= until and not total) else total
        for start, total in zip(bill.starts, bill.totals, strict=True)
    ]


def _gap(bill: Bill, formats: Formats, rows: Sequence[Decimal]) -> Decimal:
    """Return by how much printed amounts may differ from their printed sum.

    :param rows: of a table besides that of metrics
    """
    metrics = [charge.price for charge in bill.metrics]
    return rounding_gap([metrics, rows], formats.decimals)


def _prices(
    source: Statement | Part, bill: Bill, formats: Formats, issue: Issue
) -> Sequence[PriceRow]:
    units = {charge.metric: charge.unit for charge in bill.metrics}
    return list(price_rows(source.prices, units, formats.currency, issue.step))
