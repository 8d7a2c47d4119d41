"""Engine, dialects, drivers, types and errors of databases."""
