"""The one alembic tree of ratekit's tables."""
