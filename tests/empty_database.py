"""Empty SQLite databases at the newest revision: copies of one that was migrated.

All migrations, one after the other, take longer than most tests.
"""

from __future__ import annotations

import functools
import pathlib
import tempfile

from ratekit.storage import migrate


@functools.cache
def _content() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "empty.sqlite"
        migrate.upgrade(f"sqlite:///{path}")
        return path.read_bytes()


def create_empty(path: pathlib.Path) -> str:
    """Create a database at the newest revision; return its URL."""
    path.write_bytes(_content())
    return f"sqlite:///{path}"
