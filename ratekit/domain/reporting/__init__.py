"""Values that reports and inspections return."""
