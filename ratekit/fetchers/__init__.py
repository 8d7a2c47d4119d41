"""Plug-ins that list the scopes to rate."""
