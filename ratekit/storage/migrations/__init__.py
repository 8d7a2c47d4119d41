"""The alembic tree of ratekit's tables."""
