"""Daemons that share scopes, or a database that is purged: real processes, databases, services."""
