"""How a page is written.

A page is data, as an operation of the API is; :mod:`ratekit.dashboard.routes` lists all of them::

    class Query(ProjectRange):
        metric: Text | None = None

    def show_costs(call: PageCall[Query]) -> View:
        begin, end = call.read_range()
        rows = admin.costs(call.parts.storage.reports, call.scopes, begin, end)
        return View(
            {"begin": begin, "end": end, "rows": rows, "days": call.link("/dashboard/days")},
            Table("costs", ["metric", "cost"], [(row.metric, row.cost) for row in rows]),
        )

    PAGES = [
        Page("/dashboard/costs", show_costs, "summary:get_summary", "Costs", "costs.html", Query),
    ]

* The handler is a plain function. The policy of the page's ``rule`` has already allowed the call,
  and ``call.scopes`` are the only scopes that it may see. It raises the API's ``Fault`` or an error
  of ratekit's; the frame shows each as a page.
* Values are Decimals and aware times; the template, a file of ``html/templates``, formats them. It
  has only the content, which starts with an ``<h1>``, without ``<html>`` or ``extends``::

    {% import "parts.html" as parts with context %}
    <h1>Costs</h1>
    {{ parts.range_form(begin, end) }}
    {% call parts.table("Costs by metric", ["Metric", ["Cost", "number"]]) %}
    {% for row in rows %}
    <tr>
    <th scope="row">{{ row.metric }}</th>
    <td class="number">{{ parts.money(row.cost) }}</td>
    </tr>
    {% endfor %}
    {% endcall %}
    {{ parts.csv_link() }}

  ``parts.html`` has tables, figures, notices, empty states, a range form, a pager. Besides the
  view's values, a template has ``formats`` (:class:`ratekit.html.formats.Formats`) and ``frame``
  (:class:`ratekit.dashboard.frame.Frame`). Every value is escaped; charts are ``Markup``.
* On a telephone a table moves in its box: its important columns come first. A table of sentences is
  in a ``<div class="stack">``, where the cells of a row are below one another, each with its title
  in ``data-title``; of class ``short`` two share a line. ``| whole`` keeps times in a text from
  being broken, ``| joints`` lets a long name be broken after its dots.
* A view with a table can be had as CSV with all digits: ``?format=csv``, ``parts.csv_link()``.
* A page with ``accepts_form`` is also asked by POST: its arguments are then the form's fields, an
  uploaded file the text of its field (:class:`ratekit.dashboard.forms.FileText`), and a button
  named ``format`` with the value ``csv`` asks for the table. The form has ``method="post"`` and
  ``{{ parts.csrf() }}``.
* Tests use :class:`tests.page_client.PageClient`.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import urllib.parse
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import pydantic

from ratekit.api.arguments import Arguments, first_text, parse_instant, short_text
from ratekit.api.faults import Fault
from ratekit.api.operation import Call
from ratekit.html.formats import Formats
from ratekit.text import count_text, utc_text

A = TypeVar("A", bound=Arguments)
D = TypeVar("D", bound=datetime.date)

#: Where the pages are, below the API's own root.
ROOT = "/dashboard"


def is_page(path: str) -> bool:
    """Return whether a request's path is one of a page, whether it exists or not."""
    return path == ROOT or path.startswith(f"{ROOT}/")


class Section(enum.Enum):
    """A part of the menu; the value is its title."""

    BILL = "Costs"
    OPERATOR = "Operation"


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """The main numbers of a view, for spreadsheets.

    :ivar name: of the file, without its ending
    :ivar columns: titles
    :ivar rows: Decimals with all their digits, aware times, texts; None is empty
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What a page shows.

    :ivar values: names of its template
    :ivar status: HTTP status
    """

    values: Mapping[str, object]
    table: Table | None = None
    status: int = 200


@dataclasses.dataclass(frozen=True, slots=True)
class PageCall(Call[A]):
    """One request of a page: the API's call, and what pages have besides.

    :ivar root: what stands before ``/dashboard`` in addresses; usually empty
    :ivar zone: the reader's
    """

    root: str
    zone: zoneinfo.ZoneInfo

    @property
    def formats(self) -> Formats:
        """How numbers and times are written for the reader; the template has the same."""
        section = self.parts.conf.rating
        return Formats(self.zone, section.currency, section.decimals)

    def link(self, path: str, **arguments: object) -> str:
        """Return the address of a page, such as ``/dashboard/costs``, with these arguments.

        Times are written in UTC; a list repeats its name; what is None is left out.
        """
        pairs = [
            (name, _argument_text(value))
            for name, values in arguments.items()
            for value in (values if isinstance(values, list | tuple) else [values])
            if value is not None
        ]
        query = urllib.parse.urlencode(pairs)
        return f"{self.root}{path}?{query}" if query else f"{self.root}{path}"

    def read_range(self) -> tuple[datetime.datetime, datetime.datetime]:
        """Return begin and end of a :class:`PageRange`, UTC; by default this month in the zone.

        :raises ratekit.api.faults.Fault: the range is too long, or does not end after its begin
        """
        bounds = self.arguments
        assert isinstance(bounds, PageRange), "the page has a range"
        month = self.parts.clock().astimezone(self.zone).date().replace(day=1)
        next_month = (month + datetime.timedelta(days=32)).replace(day=1)
        begin = self._instant(month if bounds.begin is None else bounds.begin)
        end = self._instant(next_month if bounds.end is None else bounds.end)
        if begin >= end:
            raise Fault(400, f"begin {utc_text(begin)} is not before end {utc_text(end)}")
        if end - begin > self.parts.limits.range:
            days = count_text(self.parts.limits.range.days, "day")
            raise Fault(400, f"expected a time range of at most {days} ([api] max_range)")
        return begin, end

    def _instant(self, value: datetime.date) -> datetime.datetime:
        """Return a time, or the start of a day in the zone, in UTC."""
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime(value.year, value.month, value.day, tzinfo=self.zone)
        return value.astimezone(datetime.UTC)


def _argument_text(value: object) -> str:
    return utc_text(value) if isinstance(value, datetime.datetime) else str(value)


def parse_day(value: Any) -> datetime.date:
    """Return a date, or an ISO 8601 time as UTC.

    :raises ValueError: it is neither, or no calendar of a zone reaches as far
    """
    value = first_text(value)
    for parse in (_parse_date, parse_instant):
        try:
            day = parse(value)
        except ValueError:
            continue
        return require_calendar(day)
    raise ValueError(
        "expected a date such as 2026-03-01, or a time such as 2026-03-01T12:00:00Z, not "
        f"{short_text(value)}"
    )


def _parse_date(value: Any) -> datetime.date:
    return datetime.date.fromisoformat(str(value).strip())


def parse_moment(value: Any) -> datetime.datetime:
    """Return an ISO 8601 time as UTC.

    :raises ValueError: it is none, or no calendar of a zone reaches as far
    """
    return require_calendar(parse_instant(value))


def require_calendar(day: D) -> D:
    """Return a date or a time around which all zones have days, weeks and months.

    :raises ValueError: it is too far in the past or future
    """
    if not datetime.MINYEAR < day.year < datetime.MAXYEAR:
        raise ValueError(f"{day.isoformat()} is too far in the past or future")
    return day


#: A date, which starts at midnight in the reader's zone, or an aware time.
Day = Annotated[datetime.datetime | datetime.date, pydantic.PlainValidator(parse_day)]
#: An aware time.
Moment = Annotated[datetime.datetime, pydantic.PlainValidator(parse_moment)]


class PageRange(Arguments):
    """The time range of a page.

    Titles are those of the form, which messages name.

    :ivar begin: default: the start of this month
    :ivar end: the first time that it does not include; default: the start of next month
    """

    begin: Annotated[Day | None, pydantic.Field(title="From")] = None
    end: Annotated[Day | None, pydantic.Field(title="Up to, not including")] = None


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A page.

    :ivar path: ``/dashboard/`` and a noun
    :ivar handler: returns what it shows
    :ivar rule: the API's policy that decides who may see it; None: everybody who has logged in
    :ivar title: in the menu and in the window's title
    :ivar template: of its content
    :ivar arguments: model of its arguments
    :ivar section: its part of the menu; None: it is not there
    :ivar accepts_form: it is also asked by POST, and then its arguments are a form's fields
    """

    path: str
    handler: Callable[[PageCall[Any]], View]
    rule: str | None
    title: str
    template: str
    arguments: type[Arguments] = Arguments
    section: Section | None = Section.BILL
    accepts_form: bool = False
