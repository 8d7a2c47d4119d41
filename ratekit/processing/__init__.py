"""Rates the periods that are due, and carries out reprocessing tasks."""
