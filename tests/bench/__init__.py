"""Programs that print figures and assert none."""
