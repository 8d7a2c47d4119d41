"""ratekit reprocess: tasks requested, listed, shown and cancelled."""
