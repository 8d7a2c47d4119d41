"""A stack's folder and its lock.

==================  =======================================================
``stack.json``      what tests need to know; exists while the stack is ready
``ratekit.conf``    a configuration for ratekit
``run/``            one file per process that was started
``logs/``           one file per process; kept by ``down``
``keystone/``       Keystone's configuration, keys and database
``gnocchi/``        Gnocchi's configuration and measures
``lock``            held while ``up`` or ``down`` runs; marks the folder of a stack
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

# Each of these has a meaning in a URL, an ini file or an oslo.config value.
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
        """Return the file that the process ``name`` writes its output to."""
        return self.path / "logs" / f"{name}.log"

    def create(self) -> None:
        """Create the folder; only this user may use a new one.

        :raises OSError: it cannot be created
        :raises StackError: it exists and is neither empty nor a stack's folder
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # prepare() removes files by name; in another folder they may be an operator's.
        if not self.is_stack and any(self.path.iterdir()):
            raise StackError(f"{self.path} is neither empty nor the folder of a stack")

    @property
    def is_stack(self) -> bool:
        """Whether ``up`` has ever run here."""
        return self._lock_path.exists()

    @property
    def _lock_path(self) -> Path:
        return self.path / "lock"

    def prepare(self) -> None:
        """Create the folders in it; remove logs and data of an earlier stack."""
        self.forget()
        shutil.rmtree(self.path / "logs", ignore_errors=True)
        for stale in self.path.glob(f"{self.ratekit_database.name}*"):
            stale.unlink()
        for inner in (self.run, self.keystone, self.gnocchi, self.path / "logs"):
            inner.mkdir(mode=0o700)

    def forget(self) -> None:
        """Remove the servers' data, but neither logs nor ratekit's database."""
        self.summary.unlink(missing_ok=True)
        self.ratekit_conf.unlink(missing_ok=True)
        for inner in (self.run, self.keystone, self.gnocchi):
            shutil.rmtree(inner, ignore_errors=True)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder's lock; it ends with this process at the latest.

        :raises StackError: another process holds it
        :raises OSError: the folder cannot be written
        """
        with self._lock_path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(f"another up or down is running in {self.path}") from None
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
