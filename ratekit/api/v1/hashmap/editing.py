"""What all operations on price rules share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ratekit import composition
from ratekit.admin.rule_editing.editor import Author, Edit, EditResult
from ratekit.admin.rule_editing.index import RuleIndex
from ratekit.api.arguments import Arguments, Flag
from ratekit.api.operation import Answer, Call

PREFIX = "/v1/rating/module_config/hashmap"
#: The policy of them all.
RULE = "rating:module_config"
#: A header with what may be a mistake in a change that was made.
WARNING = "X-Ratekit-Warning"


class EditArguments(Arguments):
    """How a change is made.

    :ivar force: a rule may start in the past
    :ivar allow_free: usage that has a price may become free of charge
    """

    force: Flag = False
    allow_free: Flag = False


def read_index(call: Call[Any]) -> RuleIndex:
    """Return what is stored about rules now."""
    return call.parts.editor.read(call.parts.clock())


def build_edit(call: Call[Any]) -> Edit:
    """Return who makes a change, when, and what they allow.

    :raises ratekit.errors.ClockSkew: this host's clock is wrong
    """
    now = call.parts.clock()
    composition.require_right_clock(call.parts.conf, call.parts.storage.ledger, now)
    author = Author(call.caller.user_id or "nobody", call.caller.user_name)
    arguments = call.arguments
    return Edit(
        author,
        now,
        force=getattr(arguments, "force", False),
        allow_free=getattr(arguments, "allow_free", False),
        notify=lambda version: call.record(f"version {version} of the price rules"),
    )


def created(call: Call[Any], path: str, body: Mapping[str, Any], result: EditResult[Any]) -> Answer:
    """Return the answer to a POST: the new thing and where it is.

    :param path: of the thing, below :data:`PREFIX`
    """
    headers = {"Location": f"{call.base_url}{PREFIX}/{path}"}
    return dataclasses.replace(changed(body, result), headers=headers | warn(result))


def changed(body: Mapping[str, Any] | None, result: EditResult[Any]) -> Answer:
    """Return the answer to a change."""
    return Answer(body, headers=warn(result))


def warn(result: EditResult[Any]) -> dict[str, str]:
    """Return the header with the warnings of a change, if there are any."""
    if not result.warnings:
        return {}
    # Headers have no other letters.
    text = "; ".join(result.warnings).encode("ascii", "backslashreplace").decode()
    return {WARNING: text}
