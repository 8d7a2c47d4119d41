"""The group of daemons that share the scopes, by a coordination service."""
