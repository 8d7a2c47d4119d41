"""How commands show what there is to say about a frame's price."""

from __future__ import annotations

from ratekit.admin.price_facts import Fact
from ratekit.cmd.output import cells


def cell(fact: Fact | None) -> cells.Cell:
    """Show a fact; nothing if there is none."""
    if fact is None:
        return cells.optional(None)
    return cells.Cell(fact.key, fact.text, cells.exact_texts(fact.document))
