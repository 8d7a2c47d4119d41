"""Daemons that share scopes: real processes, databases and coordination services."""
