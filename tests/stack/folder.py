"""The folder that a stack lives in, and who may work on it.

==================  =======================================================
``stack.json``      what tests need to know; there while the stack is ready
``ratekit.conf``    a configuration for ratekit
``run/``            one file per process that was started
``logs/``           one file per process; kept by ``down``
``keystone/``       Keystone's configuration, keys and database
``gnocchi/``        Gnocchi's configuration and measures
``lock``            held while ``up`` or ``down`` is at work; tells a stack's folder
==================  =======================================================
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.stack.errors import StackError

# Each of these means something in a URL, an ini file or an oslo.config value.
_UNUSABLE = set("$%?#\"'\\\n\r\t")


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """Names of the files in a stack's folder; ``path`` is absolute."""

    path: Path

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Folder:
        """:raises StackError: the name has characters that configuration files cannot hold."""
        absolute = Path(path).absolute()
        unusable = _UNUSABLE.intersection(str(absolute))
        if unusable:
            raise StackError(f"cannot work in {str(absolute)!r}: {sorted(unusable)} in its name")
        return cls(absolute)

    @property
    def summary(self) -> Path:
        return self.path / "stack.json"

    @property
    def ratekit_conf(self) -> Path:
        return self.path / "ratekit.conf"

    @property
    def ratekit_database(self) -> Path:
        return self.path / "ratekit.sqlite"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def keystone(self) -> Path:
        return self.path / "keystone"

    @property
    def gnocchi(self) -> Path:
        return self.path / "gnocchi"

    def log(self, name: str) -> Path:
        """Where the process ``name`` writes its output."""
        return self.path / "logs" / f"{name}.log"

    def create(self) -> None:
        """Make the folder, for this user alone if it is new.

        :raises OSError: it cannot be made
        :raises StackError: it exists and holds something else
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What has our names in a stack's folder is removed; elsewhere it may be dear to somebody.
        if not self.is_stack and any(self.path.iterdir()):
            raise StackError(f"{self.path} is neither empty nor the folder of a stack")

    @property
    def is_stack(self) -> bool:
        """Whether an ``up`` has ever worked here."""
        return self._lock.exists()

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    def prepare(self) -> None:
        """Make what is in it, and remove what an earlier stack left: its data are gone."""
        self.forget()
        shutil.rmtree(self.path / "logs", ignore_errors=True)
        for stale in self.path.glob(f"{self.ratekit_database.name}*"):
            stale.unlink()
        for inner in (self.run, self.keystone, self.gnocchi, self.path / "logs"):
            inner.mkdir(mode=0o700)

    def forget(self) -> None:
        """Remove the servers' data, but neither logs nor what ratekit wrote."""
        self.summary.unlink(missing_ok=True)
        self.ratekit_conf.unlink(missing_ok=True)
        for inner in (self.run, self.keystone, self.gnocchi):
            shutil.rmtree(inner, ignore_errors=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock; it ends with this process at the latest.

        :raises StackError: another process holds it
        :raises OSError: the folder cannot be written
        """
        with self._lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(f"another up or down is at work in {self.path}") from None
            yield


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read, whole or not at all.

    :raises OSError: it cannot be written
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    fresh.replace(path)
