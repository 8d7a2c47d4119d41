"""From aggregates to quantities."""
