"""What there is to say about a frame's price: which rules gave it, what changed it, and today's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from ratekit.admin.explain import PriceOrigin
from ratekit.admin.number_words import decimal_text
from ratekit.domain import exact
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.task import Swap
from ratekit.text import second_text, utc_text


class Fact(NamedTuple):
    """Something about a price.

    :ivar key: what it is sorted by
    :ivar text: for people
    :ivar document: for programs, a JSON object; amounts are Decimal
    """

    key: int | Decimal
    text: str
    document: Mapping[str, Any]


def rules(origin: PriceOrigin, anonymous: bool = False) -> Fact:
    """Tell which version of the rules gave the stored price.

    :param anonymous: leave out who changed the rules afterwards, and why
    """
    version, change = origin.explanation.version, origin.change
    text = f"version {version}, the newest"
    next_change: Mapping[str, Any] | None = None
    if not origin.matches:
        text = (
            "no recorded version gives this price: it came from other rating modules or older "
            "rules; the breakdown uses the newest version"
        )
    elif change is not None and anonymous:
        made_at = utc_text(change.made_at)
        text = f"version {version}, before they were changed at {made_at}"
        next_change = {"at": made_at}
    elif change is not None:
        made_at = utc_text(change.made_at)
        comment = f": {change.comment}" if change.comment else ""
        text = f"version {version}, before {change.made_by} changed them at {made_at}{comment}"
        next_change = {"by": change.made_by, "at": made_at, "comment": change.comment}
    return Fact(
        version, text, {"version": version if origin.matches else None, "changed": next_change}
    )


def reprocessing(swap: Swap | None, anonymous: bool = False) -> Fact | None:
    """Tell which task last changed what the period costs; None: none did.

    :param anonymous: leave out who requested it, and why
    """
    if swap is None:
        return None
    note, at = swap.task.note, second_text(swap.record.at)
    if anonymous:
        text = f"by task {swap.task.id} at {at}"
        return Fact(swap.task.id, text, {"task": swap.task.id, "at": at})
    text = f"by task {swap.task.id} of {note.made_by} at {at}: {note.reason}"
    document = {"task": swap.task.id, "at": at, "by": note.made_by, "reason": note.reason}
    return Fact(swap.task.id, text, document)


def today(row: FrameRow, origin: PriceOrigin, remedy: bool = True) -> Fact:
    """Tell what the newest rules charge for the stored quantity.

    :param remedy: name the command that charges it
    """
    newest = origin.newest
    difference = exact.EXACT.subtract(newest.price, row.price)
    text = "the same price"
    if newest.price != row.price:
        text = f"{decimal_text(newest.price)}, a difference of {decimal_text(difference)}"
        if remedy:
            text += "; ratekit reprocess --rates-only would charge it"
    document = {"version": newest.version, "price": newest.price, "difference": difference}
    return Fact(newest.price, text, document)
