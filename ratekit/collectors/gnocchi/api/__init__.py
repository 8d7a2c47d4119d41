"""Gnocchi's HTTP API: requests, answers, formats."""
