"""Pricing: of usage by a rule book, of stored usage, and plans of a change of the rules."""
