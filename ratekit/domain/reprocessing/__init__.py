"""Reprocessing tasks, and the usage that is missing when they collect again."""
