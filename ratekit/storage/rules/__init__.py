"""Price rules and their history, stored."""
