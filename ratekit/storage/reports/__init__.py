"""Reports, read from totals and frames."""
