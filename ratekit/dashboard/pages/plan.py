"""``/dashboard/plan``: what a file of price rules would change, and what usage would have cost.

It only looks: rules come into force by ``ratekit hashmap apply`` or the API.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pydantic

from ratekit import errors
from ratekit.admin import plan_cost, rule_plan_words
from ratekit.admin.what_if import Difference
from ratekit.api.arguments import Flag, Text, first_text
from ratekit.api.faults import Fault
from ratekit.api.v2 import plan as api_plan
from ratekit.dashboard.forms import FileText
from ratekit.dashboard.operator import OperatorArguments
from ratekit.dashboard.page import Day, Page, PageCall, Section, Table, View
from ratekit.domain.reporting.buckets import bucket
from ratekit.html.charts.bars import Bar, bars
from ratekit.text import printable, utc_text

PATH = "/dashboard/plan"
#: Rows of a table, bars of a chart.
_ROWS, _BARS = 200, 10
#: What a file without a name is called in messages.
_UPLOAD, _LONGEST_NAME = "rules", 255


def _read_file(value: Any) -> FileText:
    """Return an uploaded file, or a text without a name."""
    return value if isinstance(value, FileText) else FileText(str(first_text(value)), "")


class PlanForm(OperatorArguments):
    """Rules, and what to find out about them.

    :ivar file: the uploaded file
    :ivar rules: content that was uploaded before, perhaps changed; ``file`` has precedence
    :ivar rules_name: name of its file
    :ivar since: from when on usage is priced as if the rules had been in force
    :ivar retroactive: rules may start in the past
    :ivar allow_unknown: rules may name metrics, labels and projects that nobody knows
    :ivar allow_free: usage that has a price may become free
    """

    file: Annotated[FileText, pydantic.PlainValidator(_read_file)] = FileText("", "")
    rules: Annotated[FileText, pydantic.PlainValidator(_read_file)] = FileText("", "")
    rules_name: Text = ""
    since: Annotated[Day | None, pydantic.Field(title="Since")] = None
    retroactive: Flag = False
    allow_unknown: Flag = False
    allow_free: Flag = False

    @property
    def content(self) -> str:
        """The rules as text; empty: the form was not sent yet."""
        return self.file or self.rules

    @property
    def name(self) -> str:
        """What messages call it."""
        name = self.file.filename if self.file else self.rules_name
        return printable(name)[:_LONGEST_NAME] or _UPLOAD


def show_plan(call: PageCall[PlanForm]) -> View:
    """Show the form; with rules, what they would change."""
    form = call.arguments
    since = _since(call)
    values: dict[str, object] = {
        "form": form,
        "since": since,
        "mistakes": (),
        "answer": None,
    }
    if not form.content:
        return View(values)
    try:
        result = api_plan.plan(call.parts, _request(form, since))
    except errors.TooSlow:
        text = "Pricing all usage since then takes longer than a request may: choose a later time."
        return View({**values, "mistakes": [text]}, status=503)
    except errors.OperatorError as error:
        return View({**values, "mistakes": list(error.lines())}, status=400)
    except Fault as fault:
        return View({**values, "mistakes": [fault.message]}, status=fault.status)
    names = _names(call, result.differences or ())
    differences = plan_cost.sort_by_size(result.differences or (), names)
    answer = {
        "lines": list(rule_plan_words.lines(result.prepared, remedy=False)),
        "warnings": [str(warning) for warning in result.prepared.warnings],
        "purged": result.purged,
        **_costs(call, differences, names, since),
    }
    return View({**values, "answer": answer}, _table(differences, names))


def _since(call: PageCall[PlanForm]) -> datetime.datetime:
    """Return from when on usage is priced, UTC; by default since the start of this month."""
    day = call.arguments.since
    if day is None:
        return bucket(call.parts.clock(), "month", call.zone)
    if isinstance(day, datetime.datetime):
        return day
    midnight = datetime.datetime.combine(day, datetime.time(), call.zone)
    return midnight.astimezone(datetime.UTC)


def _request(form: PlanForm, since: datetime.datetime) -> api_plan.Request:
    return api_plan.Request.model_validate(
        {
            "rules": str(form.content),
            "since": utc_text(since),
            "retroactive": form.retroactive,
            "allow_unknown": form.allow_unknown,
            "allow_free": form.allow_free,
            "name": form.name,
        }
    )


def _names(call: PageCall[Any], differences: Sequence[Difference]) -> Mapping[str, str]:
    scopes = frozenset(entry.scope for entry in differences)
    return {row.id: row.name or row.id for row in call.parts.storage.reports.scopes(scopes)}


def _costs(
    call: PageCall[PlanForm],
    differences: Sequence[Difference],
    names: Mapping[str, str],
    since: datetime.datetime,
) -> Mapping[str, object]:
    def link_costs(page: str, **arguments: str) -> str:
        """Return the address of what was charged."""
        return call.link(f"/dashboard/{page}", **arguments, begin=since)

    projects = [
        (change, names.get(change.name, change.name), link_costs("costs", scope=change.name))
        for change in plan_cost.sum_by_scope(differences, names)
    ]
    changes = [Bar(name, change.amount, link) for change, name, link in projects if change.amount]
    return {
        "total": plan_cost.sum_all(differences),
        "total_link": link_costs("totals"),
        "metrics": [
            (change, link_costs("totals", metric=change.name))
            for change in plan_cost.sum_by_metric(differences)
        ],
        "projects": projects[:_ROWS],
        "differences": [
            (
                entry,
                names.get(entry.scope, entry.scope),
                link_costs("costs", scope=entry.scope, metric=entry.metric),
            )
            for entry in differences[:_ROWS]
        ],
        "count": len(differences),
        "scope_count": len(projects),
        "rows": _ROWS,
        "chart": bars(
            "Largest differences by project",
            changes[:_BARS],
            call.formats.currency,
            call.formats.amount,
        ),
    }


def _table(differences: Sequence[Difference], names: Mapping[str, str]) -> Table:
    return Table(
        "plan",
        ("scope", "name", "metric", "frames", "cost", "new cost", "difference"),
        [
            (
                entry.scope, names.get(entry.scope, ""), entry.metric, entry.frames,
                entry.stored, entry.new, entry.amount,
            )
            for entry in differences
        ],
    )  # fmt: skip


PAGES = [
    Page(
        PATH, show_plan, "rating:plan", "Plan prices", "plan.html", PlanForm, Section.OPERATOR,
        accepts_form=True,
    ),
]  # fmt: skip
