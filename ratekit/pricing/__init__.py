"""Prices of usage: by the rules in force, of stored usage, after a change of rules."""
