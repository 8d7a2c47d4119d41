"""Read, check and write metrics.yml and rule files; each mistake has its line."""
