"""The configuration checked as a whole: every mistake with file, line and key."""
