"""Storage of the price rules and their history."""
