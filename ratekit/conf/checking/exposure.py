"""Configuration files with secrets that every user of the host can read."""

from __future__ import annotations

import pathlib
import re
import shlex
import stat

from ratekit import errors
from ratekit.conf.checking.source import Content, OptionEntry

#: By the last word, because e.g. access_token_endpoint holds none.
_SECRET_NAME = re.compile(r"(password|passphrase|passcode|secret|token|dashboard_keys)\Z")
_URL_WITH_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s]+@")


def find_exposed(content: Content) -> list[errors.Mistake]:
    """Return the first secret of each file that others than its owner and group can read."""
    secrets: dict[str, OptionEntry] = {}
    for entry in content.entries:
        if _is_secret(entry):
            secrets.setdefault(entry.file, entry)
    return [
        errors.Mistake(
            file,
            entry.line,
            f"[{entry.group}] {entry.name}",
            f"every user of this host can read it; run: chmod o-r {shlex.quote(file)}",
        )
        for file, entry in secrets.items()
        if _is_readable_by_others(file)
    ]


def _is_secret(entry: OptionEntry) -> bool:
    has_value = bool(entry.text.strip())
    return (has_value and _SECRET_NAME.search(entry.name) is not None) or (
        _URL_WITH_PASSWORD.search(entry.text) is not None
    )


def _is_readable_by_others(file: str) -> bool:
    """Return whether the file, and each folder on the way to it, is open to all users."""
    try:
        path = pathlib.Path(file).expanduser().resolve(strict=True)
        return bool(path.stat().st_mode & stat.S_IROTH) and all(
            folder.stat().st_mode & stat.S_IXOTH for folder in path.parents
        )
    except OSError:
        return False  # such as /dev/stdin of a closed pipe: nothing that others could open
