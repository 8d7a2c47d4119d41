"""ratekit: a rating daemon for OpenStack. Importing it does nothing."""
