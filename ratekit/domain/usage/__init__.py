"""From aggregates to a quantity."""
