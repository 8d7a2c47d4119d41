"""ratekit: a rating daemon for OpenStack. Importing it does nothing."""

__version__ = "0.1.0"
