"""Keeps states, frames, totals and price rules in a SQL database."""
