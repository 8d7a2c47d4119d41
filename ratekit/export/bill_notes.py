"""What the reader of a bill must know: what is not final, never charged, or no longer stored."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator

from ratekit.admin.bill import Part, Statement
from ratekit.admin.rating_state import Progress, RatingState
from ratekit.html.formats import Formats
from ratekit.text import count_text


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """What a reader must know about the numbers of a bill or a page.

    :ivar kind: ``warning`` or ``info``
    """

    kind: str
    title: str
    text: str = ""


def statement_notes(statement: Statement, formats: Formats) -> Iterator[Note]:
    """Yield what is to be known of several projects together."""
    until = statement.whole.rated_until
    if statement.behind:
        yield Note(
            "warning",
            "This bill is not final",
            f"Usage of {count_text(statement.behind, 'project')} is not complete: what comes "
            f"after {formats.instant(until)} may be missing.",
        )
    if statement.purged_until is not None:
        yield _removed(statement.purged_until, formats)


def _removed(until: datetime.datetime, formats: Formats) -> Note:
    text = f"Usage before {formats.instant(until)} may be missing."
    return Note("warning", "Old data was removed", text)


def part_notes(part: Part, formats: Formats) -> Iterator[Note]:
    """Yield what is to be known of one project."""
    bill, state = part.bill, part.state
    if note := _progress(state, formats):
        yield note
    if state.rated_since is not None and bill.begin < state.rated_since < bill.end:
        yield Note(
            "info",
            "The first part of this time is not charged",
            f"The project is rated since {formats.instant(state.rated_since)}.",
        )
    if state.gaps:
        ranges = ", ".join(
            f"{formats.instant(gap.begin)} to {formats.instant(gap.end) if gap.end else 'now'}"
            for gap in state.gaps
        )
        yield Note("info", "Not rated, and not charged", f"{ranges}.")
    if part.corrections:
        yield Note(
            "warning",
            "A correction is pending",
            f"{count_text(part.corrections, 'task')} will price a part of this time again; the "
            "amounts may change.",
        )
    if part.resources_since is not None:
        yield Note(
            "info",
            "Resources are of a part of this time",
            f"Earlier usage, before {formats.instant(part.resources_since)}, is stored by metric "
            "only.",
        )
    if state.purged_until is not None:
        yield _removed(state.purged_until, formats)


def _progress(state: RatingState, formats: Formats) -> Note | None:
    until = formats.instant(state.rated_until)
    match state.progress:
        case Progress.UNKNOWN_SCOPE:
            return Note("info", "Never rated", "Nothing of this project was rated so far.")
        case Progress.BEFORE:
            since = formats.instant(state.rated_since)
            return Note("info", "Not charged", f"The project is rated since {since}.")
        case Progress.FUTURE if state.is_over:
            return Note("info", "Not charged", f"The project was rated until {until}.")
        case Progress.FUTURE:
            text = f"Nothing of this time is rated yet; the project is rated until {until}."
            return Note("warning", "This bill is not final", text)
        case Progress.PARTLY if state.rated_until is not None:
            return _remainder(state, until)
    return None


def _remainder(state: RatingState, until: str) -> Note | None:
    if state.is_over:
        text = f"The project is not rated any more; it was until {until}."
        return Note("info", "The last part of this time is not charged", text)
    text = f"The project is rated until {until}; later usage is not in the bill yet."
    return Note("warning", "This bill is not final", text)
