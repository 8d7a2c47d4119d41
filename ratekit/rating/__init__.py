"""Rating modules: prices from rules and usage, without network, database or clock."""
