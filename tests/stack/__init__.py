"""A real cloud in a folder: Keystone, Gnocchi and PostgreSQL on loopback, with data.

On the command line ``python -m tests.stack up --dir DIR``; from a test::

    stack = tests.stack.running(DIR)
    stack.plan().resource("resized").revisions

The environment of the running interpreter must have ratekit's extras ``stack``, ``databases``
and ``postgresql``.
"""

from tests.stack.errors import StackError
from tests.stack.lifecycle import down, up
from tests.stack.stack import Size, Stack, running

__all__ = ["Size", "Stack", "StackError", "down", "running", "up"]
