"""How commands show the calculation of a price."""

from __future__ import annotations

from ratekit.admin import price_breakdown
from ratekit.cmd.output import cells
from ratekit.domain.rules.explanation import Explanation


def cell(explanation: Explanation) -> cells.Cell:
    """Show the calculation of a price; to machines a list with an object a rating module."""
    modules = cells.exact_texts(price_breakdown.modules(explanation))
    return cells.block(0, price_breakdown.lines(explanation), modules)
