"""Reading operators' files: the wrong path costs neither memory nor time."""

from __future__ import annotations

import os
import stat

from ratekit import errors


def read_text(path: str, limit: int) -> str:
    """Return the text of a file.

    :param limit: maximum size in bytes, because a device such as /dev/zero has no end
    :raises ratekit.errors.BadFile: the file is missing, unreadable, a pipe, too large or not
        UTF-8
    """
    try:
        content = _read(path, limit)
        return content.decode()
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        text = f"is not UTF-8 text: {error.reason} at byte {error.start + 1}"
    except ValueError as error:
        text = str(error)
    raise errors.BadFile([errors.Mistake(path, None, "", text)])


def _read(path: str, limit: int) -> bytes:
    # Without O_NONBLOCK, opening a pipe waits for a writer, and reading a terminal for a line.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            raise ValueError("is a pipe; expected a file")
        content = bytearray()
        while len(content) <= limit and (chunk := os.read(descriptor, 1 << 20)):
            content += chunk
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise ValueError(f"is larger than {limit >> 20} MiB")
    return bytes(content)
