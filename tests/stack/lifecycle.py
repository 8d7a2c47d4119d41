"""Bring a stack up and take it down."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import datetime
import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from tests.stack import (
    fill_gnocchi,
    fill_keystone,
    gnocchi,
    history,
    keystone,
    postgres,
    processes,
    ratekit_conf,
)
from tests.stack.build import floor_hour
from tests.stack.errors import StackError
from tests.stack.fill_keystone import Identity
from tests.stack.folder import Folder
from tests.stack.gnocchi import Gnocchi
from tests.stack.keystone import User
from tests.stack.plan import Plan, Project
from tests.stack.postgres import Postgres
from tests.stack.processes import Processes
from tests.stack.rest import Rest
from tests.stack.servers import Door
from tests.stack.stack import Size, Stack


def up(
    directory: str | os.PathLike[str],
    *,
    projects: int = 4,
    instances: int = 3,
    hours: int = 48,
    end: datetime.datetime | None = None,
) -> Stack:
    """Start a cloud in ``directory`` and fill it; return when all measures are processed.

    Whatever goes wrong, Ctrl-C included: what was started is stopped.

    :param end: first instant without data, aware, on the hour; None: the
        begin of this hour
    :raises StackError: it fails, or a stack is already running there
    :raises ValueError: a number is out of bounds
    """
    size = Size(projects, instances, hours, end or floor_hour(datetime.datetime.now(datetime.UTC)))
    plan = size.plan()
    folder = Folder.at(directory)
    with _explained(folder):
        folder.create()
        with folder.locked():
            if folder.summary.exists() and any(processes.recorded(folder).values()):
                raise StackError(f"a stack already runs in {folder.path}: use it, or take it down")
            _clear(folder)
            folder.prepare()
            with _stopped_on_error(folder) as (started, threads):
                return _Launch(folder, started, threads).run(size, plan)


def down(directory: str | os.PathLike[str]) -> None:
    """Stop what runs in ``directory``, however far ``up`` came; twice is no error.

    :raises StackError: something would not end
    """
    folder = Folder.at(directory)
    if not folder.is_stack:
        return
    with _explained(folder), folder.locked():
        _clear(folder)


def _clear(folder: Folder) -> None:
    """End and remove what an ``up`` left, however far it came."""
    processes.stop_recorded(folder)
    postgres.remove_home(folder)
    folder.forget()


@contextlib.contextmanager
def _explained(folder: Folder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StackError(f"cannot work in {folder.path}: {error}") from error


@contextlib.contextmanager
def _stopped_on_error(folder: Folder) -> Iterator[tuple[Processes, Executor]]:
    started, threads = Processes(folder), ThreadPoolExecutor()
    try:
        yield started, threads
        started.leave()
    except BaseException:
        # In this order: without their processes the threads end soon, and only when
        # they have ended does nobody make new files.
        started.stop()
        threads.shutdown(cancel_futures=True)
        _clear(folder)
        raise
    threads.shutdown()


@dataclasses.dataclass(frozen=True, slots=True)
class _Launch:
    """One ``up``."""

    folder: Folder
    processes: Processes
    threads: Executor

    def run(self, size: Size, plan: Plan) -> Stack:
        """Start and fill a cloud.

        :raises StackError: something fails
        """
        try:
            return self._run(size, plan)
        except StackError:
            # A server that is gone explains better than what its client makes of that.
            self.processes.check()
            raise

    def _run(self, size: Size, plan: Plan) -> Stack:
        """Keystone comes up beside PostgreSQL and Gnocchi."""
        doors = Door.pick(), Door.pick()
        admin = User("admin", secrets.token_hex(16), "admin")
        keystone_url, gnocchi_url = keystone.auth_url(doors[0]), doors[1].url
        identity_soon = self.threads.submit(
            self._identity, doors[0], admin, gnocchi_url, plan.projects
        )
        metering_soon = self.threads.submit(self._metering, doors[1], keystone_url, admin)
        for done in concurrent.futures.as_completed((identity_soon, metering_soon)):
            done.result()
        identity, (database, servers) = identity_soon.result(), metering_soon.result()
        rest = Rest(admin.session(keystone_url), gnocchi_url, servers.api)
        fill_gnocchi.fill(rest, self.processes, plan, identity.project_ids)
        history.backdate(database, plan.resources)
        fill_gnocchi.wait_until_processed(rest, self.processes, servers.metricd)
        stack = Stack(
            directory=self.folder.path,
            size=size,
            keystone_url=keystone_url,
            gnocchi_url=gnocchi_url,
            database_url=database.url("psycopg", "ratekit"),
            project_ids=identity.project_ids,
            user=identity.user,
            user_id=identity.user_id,
            admin=admin,
        )
        ratekit_conf.write(stack, self.folder.ratekit_database)
        stack.save()
        return stack

    def _identity(
        self, door: Door, admin: User, gnocchi_url: str, projects: Sequence[Project]
    ) -> Identity:
        server = keystone.start(self.processes, self.folder, door, admin)
        rest = Rest(admin.session(keystone.auth_url(door)), keystone.auth_url(door), server)
        return fill_keystone.fill(rest, gnocchi_url, projects)

    def _metering(self, door: Door, keystone_url: str, admin: User) -> tuple[Postgres, Gnocchi]:
        database = postgres.start(self.processes, self.folder)
        servers = gnocchi.start(self.processes, self.folder, door, database, keystone_url, admin)
        return database, servers
