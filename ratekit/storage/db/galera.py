"""Galera clusters: what the nodes must compare when several of them are written to.

Row locks hold on one node only. When a transaction commits, its node compares the keys of the rows
that it wrote with those of transactions that were committed elsewhere meanwhile ("certification");
the later transaction fails with error 1213. A row that was only read, or locked, is not compared,
nor is one that an UPDATE left as it was. So a commit of frames would not notice new prices.

A row that references another by a foreign key is compared with changes of that other row, but not
with rows that reference it, too. Therefore each writing transaction inserts a row that references
the version of the price rules, and deletes it again: it fails if the rules change elsewhere, and
processors on different nodes do not hinder one another.
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa

from ratekit.storage.schema import RULE_READS, VERSIONS

_KEY = "ratekit.galera"


def recognize(connection: Any, record: Any) -> None:
    """Note with a new connection whether its server is a node of a cluster.

    A listener for SQLAlchemy's ``connect``.
    """
    with connection.cursor() as cursor:
        # Servers without the variable return no row.
        cursor.execute("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
        record.info[_KEY] = dict(cursor.fetchall()).get("wsrep_on") == "ON"


def share_rules(connection: sa.Connection) -> None:
    """Have this transaction fail if the price rules change on another node before it commits."""
    if not connection.info.get(_KEY, False):
        return
    key = secrets.randbits(62)
    version = sa.select(sa.literal(key), VERSIONS.c.version).with_for_update(read=True)
    connection.execute(RULE_READS.insert().from_select(["id", "version"], version))
    connection.execute(RULE_READS.delete().where(RULE_READS.c.id == key))


def exclude_writers(connection: sa.Connection) -> None:
    """Have transactions fail that :func:`share_rules` on another node and commit after this one."""
    if not connection.info.get(_KEY, False) or not sa.inspect(connection).has_table(
        RULE_READS.name
    ):
        return
    rows = connection.execute(sa.select(VERSIONS).with_for_update()).mappings().all()
    connection.execute(VERSIONS.delete())
    connection.execute(VERSIONS.insert(), [dict(row) for row in rows])
