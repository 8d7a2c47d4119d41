"""Gnocchi's HTTP API: requests, responses, formats."""
