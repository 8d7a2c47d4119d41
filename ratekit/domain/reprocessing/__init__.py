"""Values of reprocessing tasks, and what usage they miss."""
