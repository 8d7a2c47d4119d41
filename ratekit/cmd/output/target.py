"""The file that a command writes: whole or not at all, or standard output."""

from __future__ import annotations

import contextlib
import pathlib
import sys
from collections.abc import Collection, Iterator
from typing import IO

from ratekit import errors
from ratekit.cmd.output import whole_file

_STDOUT = "-"
#: A bill is for its owner until he gives it to somebody.
_MODE = 0o600


def read_target(option: str, text: str, suffixes: Collection[str]) -> pathlib.Path | None:
    """Return the file that an option names; None: standard output.

    :param suffixes: what its name may end with, in lower case
    :raises ratekit.errors.OperatorError: its kind is unknown, or it is a folder
    """
    if text == _STDOUT:
        return None
    path = pathlib.Path(text)
    if path.suffix.lower() not in suffixes:
        raise errors.OperatorError(
            f"{option}: expected a file that ends with {' or '.join(suffixes)}, not {text!r}"
        )
    if path.exists() and not path.is_file():
        raise errors.OperatorError(f"{option}: {text} is no file")
    return path


@contextlib.contextmanager
def open_target(target: pathlib.Path | None) -> Iterator[IO[bytes]]:
    """Open what is written; a file of that name is replaced in the end.

    :raises ratekit.errors.OperatorError: it cannot be
    """
    if target is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(whole_file.replacing(target.resolve(), _MODE))
            yield file
            stack.close()
        except OSError as error:
            raise errors.OperatorError(f"cannot write {target}: {error.strerror}") from None
