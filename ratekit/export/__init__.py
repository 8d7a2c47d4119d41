"""Bills as files that others read."""
