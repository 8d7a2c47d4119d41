"""The one error that leaves this package on purpose."""


class StackError(Exception):
    """The stack cannot be brought up, found or stopped; the text is one line."""
