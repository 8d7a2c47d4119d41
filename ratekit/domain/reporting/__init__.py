"""Values that reports and checks return."""
