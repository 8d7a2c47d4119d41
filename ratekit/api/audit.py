"""The audit log: one line for each change that was made through the API."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import enum
import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from oslo_context.context import RequestContext

from ratekit import errors
from ratekit.api.arguments import Arguments
from ratekit.api.operation import Operation
from ratekit.text import list_text, number_text, printable, utc_text

#: A logger of its own, so that operators can send it elsewhere.
LOG = logging.getLogger("ratekit.audit")

#: Arguments that tell what was changed, and to what. None of them is a secret or a long text.
_TELLING = frozenset(
    {
        "scope_id", "scope_ids", "all_scopes", "active", "last_processed_timestamp", "state",
        "start_reprocess_time", "end_reprocess_time", "kind", "accept_silence", "reason",
        "service_id", "field_id", "group_id", "mapping_id", "threshold_id", "tenant_id", "name",
        "type", "cost", "value", "level", "start", "end", "force", "allow_free", "recursive",
        "module_id", "module_name", "enabled", "priority",
    }
)  # fmt: skip
_MAX_LENGTH = 80


def describe(caller: RequestContext) -> str:
    """Return who a caller is, for people and for records: ``name (id)``."""
    if caller.user_name and caller.user_name != caller.user_id:
        return f"{caller.user_name} ({caller.user_id})"
    return caller.user_id or "nobody"


@dataclasses.dataclass(slots=True)
class Entry:
    """The line of one request, which is logged once.

    :ivar path: of the request
    """

    operation: Operation
    caller: RequestContext
    path: str
    arguments: Arguments
    written: bool = False

    def write(self, outcome: str) -> None:
        """Log who changed what, and under which request id.

        :param outcome: what became of it
        """
        if self.written:
            return
        self.written = True
        LOG.info(
            "%s by user %s of project %s: %s %s%s: %s, request %s",
            self.operation.name,
            printable(describe(self.caller)),
            self.caller.project_id,
            self.operation.verb,
            _shorten(printable(self.path), 2 * _MAX_LENGTH),
            _arguments_text(self.arguments),
            outcome,
            self.caller.request_id,
        )


@contextlib.contextmanager
def recording(entry: Entry) -> Iterator[None]:
    """Write the entry when the change has been made, if a handler has not done so before.

    A handler that reads after its change writes it in between, so that no failure of the reading
    hides the change.
    """
    try:
        yield
    except errors.Unconfirmed:
        entry.write("outcome unknown")
        raise
    entry.write("done")


def _arguments_text(arguments: Arguments) -> str:
    """Return what a request set: `` cost=0.25 mapping_id='…'``."""
    return "".join(
        f" {name}={_value_text(getattr(arguments, name))}"
        for name in sorted(arguments.model_fields_set & _TELLING)
    )


def _value_text(value: Any) -> str:
    match value:
        case datetime.datetime():
            return utc_text(value)
        case Decimal():
            return number_text(value)
        case enum.Enum():
            return str(value.value)
        case bool() | int() | None:
            return str(value)
        case tuple():
            return _shorten(list_text([repr(word) for word in value]), 500)
        case _:
            return _shorten(repr(str(value)), _MAX_LENGTH)


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
