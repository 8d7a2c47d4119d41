"""The API of another host, in place of a database: for commands that run anywhere."""
