"""How tables name scopes: people know names, programs need IDs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ratekit.cmd.output import layout
from ratekit.domain.reporting.reports import StateRow


def scope_names(rows: Sequence[StateRow], *, ids: bool = False) -> Mapping[str, str]:
    """Return a text for each scope by its ID: the name, or the ID of a scope without a name.

    If several scopes have a name, the start of the ID follows it.

    :param ids: the IDs of all scopes
    """
    if ids:
        return {row.id: row.id for row in rows}
    counts = Counter(row.name for row in rows)
    return {
        row.id: (f"{row.name} ({layout.short_id(row.id)})" if counts[row.name] > 1 else row.name)
        if row.name
        else row.id
        for row in rows
    }
