"""metrics.yml and rule files: read, checked with the line of every mistake, and written."""
