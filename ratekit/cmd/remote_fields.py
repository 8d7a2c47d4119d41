"""Answers of an API as the fields that commands show."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ratekit.cmd.output import cells
from ratekit.domain.series import Shared
from ratekit.remote.amounts import restore_amounts
from ratekit.remote.client import reading_answers
from ratekit.text import utc_text

#: What an object has for people, besides what programs read.
_WORDS = frozenset({"text", "lines"})


@reading_answers()
def explain_fields(body: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    """Return the fields of ``ratekit explain``.

    :param body: of ``GET /v2/explain``
    :param name: of the scope, if it is known
    """
    return {
        "Scope": body["scope"],
        "Name": cells.optional(name),
        "Metric": body["metric"],
        "Period": _time(body["begin"]),
        "Labels": cells.labels(body["labels"]),
        "Quantity": _amount(body["quantity"]),
        "Unit": body["unit"],
        **_shared_fields(body["shared"]),
        "Reduction": _block(body["reduction"]),
        "Breakdown": _breakdown(body["breakdown"]),
        "Price": _amount(body["price"]),
        "Rules": _fact(body["rules"]),
        "Today": _fact(body["today"]),
        "Reprocessed": _fact(body["reprocessed"]),
    }


@reading_answers()
def quote_fields(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of ``ratekit quote``.

    :param body: of ``POST /v2/rating/quote``
    """
    return {
        "Service": body["service"],
        "Quantity": _amount(body["quantity"]),
        **_shared_fields(body["shared"]),
        "Labels": cells.labels(body["labels"]),
        "Scope": cells.optional(body["scope"]),
        "Period begin": _time(body["begin"]),
        "Period end": _time(body["end"]),
        "Breakdown": _breakdown(body["breakdown"]),
        "Price of the period": _amount(body["price"]),
        "Price of an hour": _amount(body["hour"]),
        "Price of a day": _amount(body["day"]),
        "Price of 30 days": _amount(body["month"]),
    }


def _amount(number: int | Decimal) -> cells.Cell:
    return cells.amount(Decimal(number))


def _time(text: str) -> str:
    return utc_text(datetime.datetime.fromisoformat(text))


def _shared_fields(shared: Mapping[str, Any] | None) -> Mapping[str, cells.Cell]:
    if shared is None:
        return cells.shared_fields(None)
    return cells.shared_fields(Shared(Decimal(shared["whole"]), Decimal(shared["share"])))


def _breakdown(breakdown: Mapping[str, Any]) -> cells.Cell:
    modules = cells.exact_texts(restore_amounts(breakdown["modules"]))
    return cells.block(0, breakdown["lines"], modules)


def _block(document: Mapping[str, Any] | None) -> cells.Cell:
    if document is None:
        return cells.optional(None)
    return cells.block(0, document["lines"], _machine(document))


def _fact(document: Mapping[str, Any] | None) -> cells.Cell:
    if document is None:
        return cells.optional(None)
    return cells.Cell(0, document["text"], _machine(document))


def _machine(document: Mapping[str, Any]) -> Any:
    rest = {key: value for key, value in document.items() if key not in _WORDS}
    return cells.exact_texts(restore_amounts(rest))
