"""Scopes, frames and totals, written exactly once."""
