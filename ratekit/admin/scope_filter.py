"""Select scopes by what they are and where they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from ratekit import errors
from ratekit.domain.reporting.reports import StateRow
from ratekit.text import list_text


@dataclasses.dataclass(frozen=True, slots=True)
class ScopeFilter:
    """What scopes must be; an empty collection accepts every value.

    :ivar ids: their IDs
    :ivar keys: what kind of ID they have, such as project_id
    :ivar fetchers: names of the plug-ins that returned them first
    :ivar collectors: names of the plug-ins that were in use then
    :ivar active: whether they are rated
    """

    ids: Collection[str] = ()
    keys: Collection[str] = ()
    fetchers: Collection[str] = ()
    collectors: Collection[str] = ()
    active: Collection[bool] = ()

    def select(self, rows: Iterable[StateRow]) -> Sequence[StateRow]:
        """Return the scopes that are all of this, in their order."""
        return [row for row in rows if self._accepts(row)]

    def _accepts(self, row: StateRow) -> bool:
        return all(
            value in accepted
            for value, accepted in (
                (row.id, self.ids),
                (row.scope_key, self.keys),
                (row.fetcher, self.fetchers),
                (row.collector, self.collectors),
                (is_rated(row), self.active),
            )
            if accepted
        )


def is_rated(row: StateRow) -> bool:
    """Return whether a scope is rated: the fetcher returns it, and nobody deactivated it."""
    return row.active and row.deactivated_at is None


def require_all(rows: Collection[StateRow], ids: Iterable[str]) -> None:
    """Refuse IDs that no scope has.

    :param rows: the scopes that were selected by their IDs
    :raises ratekit.errors.NotFound: naming them
    """
    missing = sorted(set(ids) - {row.id for row in rows})
    if missing:
        raise errors.NotFound(f"no such scope: {list_text(missing)}")
