"""Reprocessing tasks, stored, and the swap of frames."""
