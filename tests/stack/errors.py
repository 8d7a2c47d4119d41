"""The error that this package raises."""


class StackError(Exception):
    """The stack cannot be started, found or stopped; the message is one line."""
