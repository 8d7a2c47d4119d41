"""The sums of each scope's totals of one day.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from ratekit.storage.migrations import steps

revision = "0015"
down_revision = "0014"

_MYSQL = ("mysql", "mariadb")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)
_QUANTITY = sa.Numeric(65, 18).with_variant(sa.Text(), "sqlite")
_PRICE = sa.Numeric(65, 28).with_variant(sa.Text(), "sqlite")

#: The start of a total's day, by dialect.
_DAYS = {
    "sqlite": "substr(begin, 1, 10) || ' 00:00:00.000000'",
    "postgresql": "date_trunc('day', begin)",
    "mysql": "CAST(DATE(begin) AS DATETIME(6))",
}
#: What adds decimals up. SQLite stores them as text, and would add binary floats.
_SUMS = {"sqlite": "exact_sum", "postgresql": "sum", "mysql": "sum"}
#: Scopes of one statement. MariaDB takes ten times as long where its groups do not fit into memory;
#: PostgreSQL, which finds a scope's rows all over the table, is faster with many.
_SCOPES = {"sqlite": 1000, "postgresql": 1000, "mysql": 10}


def upgrade() -> None:
    """Add a table and fill it."""
    word = (
        sa.String(255)
        .with_variant(sa.String(255, collation="C"), "postgresql")
        .with_variant(steps.exact_text(255), *_MYSQL)
    )
    op.create_table(
        "daily_totals",
        sa.Column("scope_id", _KEY, nullable=False, autoincrement=False),
        sa.Column("begin", _INSTANT, nullable=False),
        sa.Column("metric", word, nullable=False),
        sa.Column("unit", word, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("quantity", _QUANTITY, nullable=False),
        sa.Column("price", _PRICE, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "begin", "metric", "unit", name="pk_daily_totals"),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name="fk_daily_totals_scope_id"),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        if_not_exists=steps.is_resumed(),
    )
    if op.get_bind().dialect.name == "mysql":
        # The table is committed, and with it the transaction whose level was set before. REPEATABLE
        # READ would lock every row of totals.
        op.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    # What the interrupted run has filled in.
    op.execute("DELETE FROM daily_totals")
    _fill()


def downgrade() -> None:
    """Drop it."""
    steps.drop_table("daily_totals")


def _fill() -> None:
    """Add the totals up; each value is below 1e30, so that no sum is too large for its column."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    day, exact_sum, count = _DAYS[dialect], _SUMS[dialect], _SCOPES[dialect]
    statement = sa.text(
        "INSERT INTO daily_totals (scope_id, begin, metric, unit, points, quantity, price)"
        f" SELECT scope_id, {day}, metric, unit, sum(points), {exact_sum}(quantity),"
        f" {exact_sum}(price) FROM totals WHERE scope_id >= :first AND scope_id <= :last"
        f" GROUP BY scope_id, {day}, metric, unit ORDER BY 1, 2, 3, 4"
    )
    ids = connection.execute(sa.text("SELECT id FROM scopes ORDER BY id")).scalars().all()
    for number in range(0, len(ids), count):
        scopes = ids[number : number + count]
        connection.execute(statement, {"first": scopes[0], "last": scopes[-1]})
