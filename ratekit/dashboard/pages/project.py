"""What the pages of a project share: whose costs, which time range, and what to know about them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ratekit.admin import price_words, rating_state
from ratekit.admin.rating_state import Progress, RatingState
from ratekit.api.arguments import Arguments, Text
from ratekit.api.visibility import Demand
from ratekit.dashboard.page import PageCall, PageRange
from ratekit.domain.purge import PurgeMark
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.export.bill_notes import Note
from ratekit.html.formats import Formats
from ratekit.interfaces import Reports

_DAY = datetime.timedelta(days=1)


class ProjectArguments(Arguments):
    """The project that a page is about.

    :ivar scope: its id; default: the project of the token
    """

    scope: Text | None = None

    def demand(self, scope_key: str) -> Demand:
        """Return the one scope; a request for another is refused unless it may see it."""
        return Demand(frozenset({self.scope}) if self.scope else None, narrows=False)


class ProjectRange(ProjectArguments, PageRange):
    """The time range of a page about one project."""


class UsageRange(ProjectRange):
    """The usage that a page of costs is about.

    :ivar metric: only that of this metric
    :ivar label: only that with a value of this label
    :ivar value: of the label; absent: usage that lacks it
    """

    metric: Text | None = None
    label: Text | None = None
    value: Text | None = None


_PAGES = {
    "overview": "Overview",
    "costs": "Costs",
    "resources": "Resources",
    "prices": "Prices",
    "quote": "Ask for a price",
}
#: Usage that costs nothing.
FREE = Note(
    "info", "All of this usage is free", "It was rated, and no price applies to it, or one of 0."
)


class PageLinks(NamedTuple):
    """Where a part of the rows is, and the addresses of those before and after it."""

    text: str
    previous: str | None
    following: str | None


def page_links(
    call: PageCall[Any], path: str, offset: int, limit: int, total: int
) -> PageLinks | None:
    """Return the links below a part of the rows; None: it has all of them."""
    if not offset and total <= limit:
        return None
    arguments = call.arguments.model_dump(exclude={"offset"}, exclude_defaults=True)
    previous = call.link(path, **arguments, offset=max(offset - limit, 0) or None)
    following = call.link(path, **arguments, offset=offset + limit)
    last = min(offset + limit, total)
    return PageLinks(
        f"{min(offset + 1, total):,} to {last:,} of {total:,}",
        previous if offset else None,
        following if last < total else None,
    )


def only_scope(call: PageCall[Any]) -> str | None:
    """Return the ID of the project that a page is about; None: all projects, or none."""
    scopes = call.scopes
    return None if scopes is ALL_SCOPES or len(scopes) != 1 else min(scopes)


def select_usage(call: PageCall[Any]) -> Selection:
    """Return the usage that a :class:`UsageRange` asks for."""
    query = call.arguments
    assert isinstance(query, UsageRange), "the page is about usage"
    begin, end = call.read_range()
    return Selection(
        begin,
        end,
        scopes=call.scopes,
        metrics=() if query.metric is None else (query.metric,),
        labels={} if query.label is None else {query.label: frozenset({query.value})},
    )


def project_name(call: PageCall[Any]) -> str:
    """Return the name of the project that a page is about."""
    scope = only_scope(call)
    if scope is None:
        return "all projects" if call.scopes is ALL_SCOPES else "no project"
    names = [row.name for row in call.parts.storage.reports.scopes(frozenset({scope})) if row.name]
    return names[0] if names else scope


def metric_names(call: PageCall[Any], metrics: Iterable[str]) -> Sequence[str]:
    """Return the metrics that a form offers: those that are rated now, and those with usage."""
    names = {info.name for info in call.parts.metrics.read().infos}
    names.update(metrics)
    if call.arguments.metric is not None:
        names.add(call.arguments.metric)
    return sorted(names)


def links(call: PageCall[Any], path: str) -> Sequence[tuple[str, str, bool]]:
    """Return titles and addresses of the pages of a project that was asked for by its ID.

    :param path: of the page that is shown
    :returns: with whether it is that page; empty: the menu leads to the same project
    """
    scope = call.arguments.scope
    if scope is None:
        return []
    return [
        (title, call.link(f"/dashboard/{name}", scope=scope), path == f"/dashboard/{name}")
        for name, title in _PAGES.items()
    ]


def amount_head(call: PageCall[Any], title: str) -> str:
    """Return the title of a column of amounts, with the currency."""
    currency = call.parts.conf.rating.currency
    return f"{title} ({currency})" if currency else title


def period_noun(call: PageCall[Any]) -> str:
    """Return the length of a period as prices name it: ``hour``."""
    return price_words.period_noun(call.parts.calendar.step)


def whole_days(
    begin: datetime.datetime, end: datetime.datetime, zone: datetime.tzinfo
) -> tuple[datetime.date, datetime.date]:
    """Return a time range as the days that a form has; the last one is not included."""
    first, last = begin.astimezone(zone), end.astimezone(zone)
    is_midnight = last.time() == datetime.time()
    return first.date(), last.date() if is_midnight else last.date() + _DAY


def read_notes(
    call: PageCall[Any], begin: datetime.datetime, end: datetime.datetime, from_totals: bool = True
) -> Sequence[Note]:
    """Return what a reader must know about the costs of a time range.

    :param from_totals: the page shows no labels
    """
    storage = call.parts.storage
    purged = storage.purge.mark()
    with storage.reports.snapshot() as reports:
        return notes_of(call, reports, purged, begin, end, from_totals)


def notes_of(
    call: PageCall[Any],
    reports: Reports,
    purged: PurgeMark,
    begin: datetime.datetime,
    end: datetime.datetime,
    from_totals: bool,
) -> Sequence[Note]:
    """Return what :func:`read_notes` does, as a snapshot tells it.

    :param purged: what is no longer stored
    """
    scope = only_scope(call)
    until = purged.missing_until(begin, from_totals)
    if scope is None:
        return [] if until is None else [_purge_note(until, call.formats)]
    states = rating_state.read(reports, call.parts.calendar, frozenset({scope}), begin, end, until)
    return list(_describe(states[scope], begin, end, call.formats))


def purge_notes(
    call: PageCall[Any], begin: datetime.datetime, from_totals: bool = True
) -> Iterator[Note]:
    """Yield what is missing of a time range because it was purged.

    :param from_totals: as of :func:`read_notes`
    """
    until = call.parts.storage.purge.mark().missing_until(begin, from_totals)
    if until is not None:
        yield _purge_note(until, call.formats)


def _purge_note(until: datetime.datetime, formats: Formats) -> Note:
    return Note(
        "warning",
        f"Removed: what was rated before {formats.instant(until)}",
        "The operator has deleted it, so these numbers may lack it.",
    )


def _describe(
    state: RatingState, begin: datetime.datetime, end: datetime.datetime, formats: Formats
) -> Iterator[Note]:
    since, until = formats.instant(state.rated_since), formats.instant(state.rated_until)
    match state.progress:
        case Progress.UNKNOWN_SCOPE:
            yield Note(
                "warning",
                "This project is not rated",
                "Its usage has no prices, so nothing is charged. Ask the operator of this cloud "
                "to have it rated: usually, ratekit's user gets the role “rating” in the project.",
            )
        case Progress.BEFORE:
            yield Note(
                "info", "Before the first rated period", f"The project is rated since {since}."
            )
        case Progress.FUTURE:
            yield Note(
                "info",
                "Nothing of this time is rated yet",
                f"The project is rated until {until}. Later usage follows.",
            )
        case Progress.PARTLY if state.is_over:
            yield Note(
                "info",
                f"Rated until {until}",
                "The project is no longer rated: later usage is not charged.",
            )
        case Progress.PARTLY:
            yield Note(
                "info",
                f"Not final: rated until {until}",
                "Later usage is not in these numbers yet, so they still grow.",
            )
        case Progress.END | Progress.WHOLLY:
            pass
    if state.rated_since is not None and begin < state.rated_since < end:
        yield Note("info", f"Rated since {since}", "Earlier usage is not charged.")
    yield from _describe_holes(state, formats)


def _describe_holes(state: RatingState, formats: Formats) -> Iterator[Note]:
    for gap in state.gaps:
        end = "now on" if gap.end is None else formats.instant(gap.end)
        title = (
            f"Not rated since {formats.instant(gap.begin)}"
            if gap.end is None
            else f"Not rated from {formats.instant(gap.begin)} to {end}"
        )
        yield Note("info", title, "Usage of this time is not charged.")
    if state.purged_until is not None:
        yield _purge_note(state.purged_until, formats)
