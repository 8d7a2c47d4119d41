"""Every revision, up and down, on every database."""
