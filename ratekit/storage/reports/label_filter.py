"""Finds the descriptors whose labels have the values that a report asks for."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.storage.db.dialects import contains
from ratekit.storage.db.lists import in_list
from ratekit.storage.ledger.descriptors import labels
from ratekit.storage.reports import selection as selecting
from ratekit.storage.schema import DESCRIPTORS, FRAMES

_TEXTS = (DESCRIPTORS.c.groupby, DESCRIPTORS.c.metadata)
#: With more values, SQL only looks for the label.
_MAX_VALUES = 20


def find_descriptors(
    connection: sa.Connection, selection: Selection, scope_key: str
) -> Sequence[int] | None:
    """Return the ids of the descriptors that fit, maybe of some without frames; None: all fit.

    SQL leaves out most others by looking for ``"name":"value"`` in the canonical JSON. It never
    leaves out a label that fits, since both texts are written alike, in ASCII. Whether what it
    finds is this label with this value is decided here.
    """
    if not selection.labels:
        return None
    query = (
        sa.select(DESCRIPTORS.c.id, *_TEXTS)
        .where(*(_may_fit(name, values) for name, values in selection.labels.items()))
        .order_by(DESCRIPTORS.c.id)
    )
    if selection.scopes is not ALL_SCOPES:
        # Some scopes have few of all descriptors. In one statement, MariaDB would read frames once
        # for each descriptor.
        query = query.where(in_list(DESCRIPTORS.c.id, _read_used(connection, selection, scope_key)))
    elif selection.metrics:
        query = query.where(selecting.of_metrics(DESCRIPTORS.c.metric, selection))
    with connection.execute(query, execution_options=selecting.STREAMED) as rows:
        return [
            row_id
            for row_id, groupby, metadata in rows
            if _fits({**labels(metadata), **labels(groupby)}, selection.labels)
        ]


def _read_used(connection: sa.Connection, selection: Selection, scope_key: str) -> Sequence[Any]:
    """Return the ids of the descriptors of the selection's frames, whatever their labels are."""
    scope_pks = selecting.scope_pks(connection, selection, scope_key)
    query = (
        sa.select(FRAMES.c.descriptor_id)
        .where(in_list(FRAMES.c.scope_id, scope_pks))
        .where(*selecting.times(FRAMES.c.begin, selection))
        .where(*selecting.of_descriptors(selection, None))
        .distinct()
    )
    return connection.scalars(query).all()


def _may_fit(name: str, values: Collection[str | None]) -> sa.ColumnElement[bool]:
    if None in values:
        return sa.true()
    key = json.dumps(name) + ":"
    members = [key + json.dumps(value) for value in values]
    if len(members) > _MAX_VALUES:
        members = [key + '"']
    return sa.or_(sa.false(), *(contains(text, part) for part in members for text in _TEXTS))


def _fits(
    labels_by_name: Mapping[str, str | None], wanted: Mapping[str, Collection[str | None]]
) -> bool:
    return all(labels_by_name.get(name) in values for name, values in wanted.items())
