"""Files that no reader ever sees in part."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import IO


def replace(path: pathlib.Path, text: str, mode: int, group: int | None = None) -> None:
    """Write a file whole or not at all; it is never open to more readers than in the end.

    :param group: id of the file's group, if this process may set it; None: the process's own
    :raises OSError: it cannot be written
    """
    with replacing(path, mode, group) as file:
        file.write(text.encode())


@contextlib.contextmanager
def replacing(path: pathlib.Path, mode: int, group: int | None = None) -> Iterator[IO[bytes]]:
    """Open a file to write, which replaces ``path`` in the end, unless there is an error.

    Until then it is a hidden file beside ``path`` that does not end as it does: node_exporter, for
    one, reads every file that ends with .prom.

    :param group: as for :func:`replace`
    :raises OSError: it cannot be written
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with contextlib.ExitStack() as stack:
        stack.callback(pathlib.Path(name).unlink)
        with open(handle, "wb") as file:
            yield file
            if group is not None:
                # Only root and members of the group may.
                with contextlib.suppress(PermissionError):
                    os.chown(handle, -1, group)
            os.fchmod(handle, mode)
        pathlib.Path(name).replace(path)
        stack.pop_all()
