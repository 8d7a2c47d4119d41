"""A running stack as tests see it, and its file ``stack.json``."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

from keystoneauth1.session import Session

from tests.stack import processes
from tests.stack.build import build_plan
from tests.stack.errors import StackError
from tests.stack.folder import Folder, write_private
from tests.stack.keystone import User
from tests.stack.plan import Plan


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """The four numbers that make a plan.

    :ivar end: first instant without data, aware, on the hour
    """

    projects: int
    instances: int
    hours: int
    end: datetime.datetime

    def plan(self) -> Plan:
        """:raises ValueError: a number is out of bounds."""
        return build_plan(self.projects, self.instances, self.hours, self.end)


@dataclasses.dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is ready and filled.

    :ivar directory: the stack's folder
    :ivar size: the numbers behind ``plan()``
    :ivar keystone_url: Keystone's ``auth_url``, with ``/v3``
    :ivar gnocchi_url: Gnocchi's root, without ``/v1``
    :ivar database_url: SQLAlchemy's URL of an empty PostgreSQL database (psycopg 3)
    :ivar project_ids: Keystone's ids by the plan's project names, and that of ``service``
    :ivar user: the service user that rates
    :ivar user_id: its id
    :ivar admin: Keystone's administrator
    """

    directory: Path
    size: Size
    keystone_url: str
    gnocchi_url: str
    database_url: str
    project_ids: Mapping[str, str]
    user: User
    user_id: str
    admin: User

    @property
    def conf_path(self) -> Path:
        """Configuration file for ratekit."""
        return Folder.at(self.directory).ratekit_conf

    def plan(self) -> Plan:
        """Build the plan that the stack was filled with."""
        return self.size.plan()

    def session(self) -> Session:
        """Return a session of the service user; Gnocchi is the service type ``metric``."""
        return self.user.session(self.keystone_url)

    def admin_session(self) -> Session:
        """Return a session of the administrator, who may change the cloud."""
        return self.admin.session(self.keystone_url)

    def log(self, process: str) -> Path:
        """Return the log of a process, e.g. ``gnocchi-metricd``."""
        return Folder.at(self.directory).log(process)

    @contextlib.contextmanager
    def pause(self, process: str) -> Iterator[None]:
        """Stop a process and its children, e.g. ``gnocchi-metricd``, until the context ends.

        :raises StackError: it is not running
        """
        folder = Folder.at(self.directory)
        processes.send_signal(folder, process, signal.SIGSTOP)
        try:
            yield
        finally:
            processes.send_signal(folder, process, signal.SIGCONT)

    def save(self) -> None:
        """Write ``stack.json``, mode 0600: it contains passwords.

        :raises OSError: it cannot be written
        """
        facts = dataclasses.asdict(self)
        facts["directory"] = str(self.directory)
        facts["size"]["end"] = self.size.end.isoformat()
        write_private(Folder.at(self.directory).summary, json.dumps(facts, indent=2) + "\n")


def running(directory: str | os.PathLike[str]) -> Stack:
    """Return the stack that runs in ``directory``.

    :raises StackError: there is none, or a server of it has ended
    """
    folder = Folder.at(directory)
    try:
        facts = json.loads(folder.summary.read_text())
    except (OSError, ValueError) as error:
        raise StackError(f"no stack is running in {folder.path}: {error}") from error
    ended = [name for name, alive in processes.liveness(folder).items() if not alive]
    if ended:
        logs = " ".join(str(folder.log(name)) for name in ended)
        raise StackError(
            f"servers of the stack in {folder.path} have ended: {', '.join(ended)}; see {logs}"
        )
    size = facts["size"]
    size["end"] = datetime.datetime.fromisoformat(size["end"])
    facts |= {
        "directory": folder.path,
        "size": Size(**size),
        "user": User(**facts["user"]),
        "admin": User(**facts["admin"]),
    }
    return Stack(**facts)
