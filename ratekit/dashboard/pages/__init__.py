"""The pages, a noun a file: each lists what it has as ``PAGES``."""
