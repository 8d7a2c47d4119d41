"""Start and stop a stack."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import datetime
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
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
from tests.stack.api import Api
from tests.stack.build import floor_hour
from tests.stack.errors import StackError
from tests.stack.fill_keystone import Identity
from tests.stack.folder import Folder
from tests.stack.gnocchi import Gnocchi
from tests.stack.keystone import User
from tests.stack.plan import Plan, Project
from tests.stack.postgres import Postgres
from tests.stack.processes import Processes
from tests.stack.servers import BoundPort
from tests.stack.stack import Size, Stack

Report = Callable[[str], None]
"""Takes a line of progress; several threads may call it at once."""


def _keep_silent(line: str) -> None:
    """Report nothing."""


def up(
    directory: str | os.PathLike[str],
    *,
    projects: int = 4,
    instances: int = 3,
    hours: int = 48,
    end: datetime.datetime | None = None,
    report: Report = _keep_silent,
) -> Stack:
    """Start a cloud in ``directory`` and fill it; return when all measures are processed.

    After a failure or Ctrl-C it stops what it has started.

    :param end: first instant without data, aware, on the hour; None: the start of this hour
    :raises StackError: it fails, or a stack is already running there
    :raises ValueError: a number is out of bounds
    """
    size = Size(projects, instances, hours, end or floor_hour(datetime.datetime.now(datetime.UTC)))
    plan = size.plan()
    folder = Folder.at(directory)
    with _as_stack_error(folder):
        folder.create()
        with folder.lock():
            if folder.summary.exists() and any(processes.liveness(folder).values()):
                raise StackError(
                    f'a stack already runs in {folder.path}: use it, or stop it with "down"'
                )
            _clear(folder)
            folder.prepare()
            with _stop_on_error(folder) as (group, threads):
                return _Launch(folder, group, threads, report).run(size, plan)


def down(directory: str | os.PathLike[str]) -> None:
    """Stop all that runs in ``directory``, also after an incomplete ``up``; twice is no error.

    :raises StackError: a process does not end
    """
    folder = Folder.at(directory)
    if not folder.is_stack:
        return
    with _as_stack_error(folder), folder.lock():
        _clear(folder)


def _clear(folder: Folder) -> None:
    """End the processes and remove the files of an ``up``, complete or not."""
    processes.stop_all(folder)
    postgres.remove_home(folder)
    folder.forget()


@contextlib.contextmanager
def _as_stack_error(folder: Folder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StackError(f"cannot work in {folder.path}: {error}") from error


@contextlib.contextmanager
def _stop_on_error(folder: Folder) -> Iterator[tuple[Processes, Executor]]:
    group, threads = Processes(folder), ThreadPoolExecutor()
    try:
        yield group, threads
        group.leave()
    except BaseException:
        # In this order: threads end soon when their processes have ended, and no new files
        # appear when the threads have ended.
        group.stop()
        threads.shutdown(cancel_futures=True)
        _clear(folder)
        raise
    threads.shutdown()


@dataclasses.dataclass(frozen=True, slots=True)
class _Launch:
    """One run of ``up``."""

    folder: Folder
    processes: Processes
    threads: Executor
    report: Report

    def run(self, size: Size, plan: Plan) -> Stack:
        """Start and fill a cloud.

        :raises StackError: a step fails
        """
        try:
            return self._run(size, plan)
        except StackError:
            # A server that has ended explains more than its client's error.
            self.processes.check()
            raise

    def _run(self, size: Size, plan: Plan) -> Stack:
        """Start Keystone at the same time as PostgreSQL and Gnocchi."""
        keystone_port, gnocchi_port = BoundPort.any(), BoundPort.any()
        admin = User("admin", secrets.token_hex(16), "admin")
        keystone_url, gnocchi_url = keystone.auth_url(keystone_port), gnocchi_port.url
        identity_future = self.threads.submit(
            self._identity, keystone_port, admin, gnocchi_url, plan.projects
        )
        metering_future = self.threads.submit(self._metering, gnocchi_port, keystone_url, admin)
        for future in concurrent.futures.as_completed((identity_future, metering_future)):
            future.result()
        identity, (database, servers) = identity_future.result(), metering_future.result()
        api = Api(admin.session(keystone_url), gnocchi_url, servers.api.log)
        self.report("PostgreSQL, Keystone and Gnocchi are ready; writing measures")
        fill_gnocchi.fill(api, self.processes, plan, identity.project_ids)
        history.backdate(database, plan.resources)
        fill_gnocchi.wait_until_processed(api, self.processes, servers.metricd, self.report)
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
        self, port: BoundPort, admin: User, gnocchi_url: str, projects: Sequence[Project]
    ) -> Identity:
        server = keystone.start(self.processes, self.folder, port, admin)
        self.report("Keystone is running; creating users and projects")
        api = Api(admin.session(keystone.auth_url(port)), keystone.auth_url(port), server.log)
        return fill_keystone.fill(api, gnocchi_url, projects)

    def _metering(
        self, port: BoundPort, keystone_url: str, admin: User
    ) -> tuple[Postgres, Gnocchi]:
        database = postgres.start(self.processes, self.folder)
        self.report("PostgreSQL is running; starting Gnocchi")
        servers = gnocchi.start(self.processes, self.folder, port, database, keystone_url, admin)
        return database, servers
