"""Usage from Gnocchi's aggregates."""
