"""ratekit reprocess: request, list, show and cancel tasks."""
