"""A database that several daemons fill, and the Gnocchi that they ask."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import psutil
import sqlalchemy as sa

from ratekit.domain import period
from ratekit.storage.schema import FRAMES, SCOPES
from tests.builders import SECOND
from tests.coordination.gnocchi import Gnocchi
from tests.daily_totals import find_wrong_days
from tests.faults.trial import Processor, with_driver

_METRICS = """\
metrics:
  cpu:
    unit: instance
    groupby: [id, project_id]
    metadata: []
    extra_args: {{aggregation_method: mean, resource_type: instance, force_granularity: {seconds}}}
"""
_CONF = """\
[DEFAULT]
[database]
connection = {url}
[collect]
metrics_conf = {folder}/metrics.yml
period = {seconds}
wait_periods = 1
start = {start}
[fetcher]
backend = static
[fetcher_static]
scopes = {scopes}
[collector_gnocchi]
gnocchi_auth_type = basic
gnocchi_user = {user}
gnocchi_endpoint = {gnocchi}
[rating]
without_rules = free
[orchestrator]
{orchestrator}
[storage]
{storage}
"""
#: Name of the configuration of commands that belong to no daemon.
_COMMANDS = "commands"
_MEMBERS = re.compile(r"the scopes are shared by .*?: (.*)")


class Daemon(Processor):
    """A daemon with all its processes.

    :ivar name: of its user in Gnocchi
    """

    def __init__(self, name: str, conf: pathlib.Path, log: pathlib.Path) -> None:
        super().__init__(conf, log)
        self.name = name

    def processes(self) -> list[psutil.Process]:
        """Return all its processes, the first one first."""
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self._popen.pid)
            return [first, *first.children(recursive=True)]
        return []

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """Kill all its processes at once."""
        self.send(signal.SIGKILL)
        self._popen.wait()

    def members(self) -> list[str]:
        """Return the members of its group as it logged them last."""
        logged = _MEMBERS.findall(self.log_text())
        return logged[-1].split(", ") if logged else []


class Site:
    """A database, its scopes, and the periods that are rated.

    :ivar url: of the database, with its driver
    :ivar scopes: ids
    :ivar begin: of the first period
    :ivar horizon: end of the last period that is due at the start
    :ivar periods: number of periods that are due at the start
    :ivar storage: options of ``[storage]`` for daemons that start from now on
    """

    def __init__(
        self, folder: pathlib.Path, url: str, gnocchi: Gnocchi, scopes: int, periods: int
    ) -> None:
        self._folder = folder
        self.url = with_driver(url)
        self.gnocchi = gnocchi
        self.scopes = [f"scope-{number:04d}" for number in range(scopes)]
        self.periods = periods
        self._step = gnocchi.step
        self._seconds = self._step // SECOND
        self.horizon = period.floor(datetime.datetime.now(datetime.UTC), self._step)
        self.begin = self.horizon - periods * self._step
        self.storage: Mapping[str, object] = {}
        self._daemons: list[Daemon] = []
        (folder / "metrics.yml").write_text(_METRICS.format(seconds=self._seconds))
        self._write_conf(_COMMANDS, {})
        assert self.run("ratekit-dbsync", "upgrade").returncode == 0

    def start(self, name: str, **options: object) -> Daemon:
        """Start a daemon.

        :param options: of ``[orchestrator]``
        """
        conf = self._write_conf(name, options)
        daemon = Daemon(name, conf, self._folder / f"{name}.log")
        self._daemons.append(daemon)
        return daemon

    def end(self) -> None:
        """Kill all daemons that still run."""
        for daemon in self._daemons:
            daemon.send(signal.SIGCONT)
            daemon.kill()

    def status(self, name: str) -> Any:
        """Return what ``ratekit status`` says with a daemon's configuration."""
        result = self.run("ratekit", "status", "-f", "json", conf=name)
        assert result.stderr == ""
        return json.loads(result.stdout)

    @property
    def has_row_locks(self) -> bool:
        """Whether the database locks single rows."""
        return sa.make_url(self.url).get_backend_name() != "sqlite"

    def run(
        self, program: str, *arguments: str, conf: str = _COMMANDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end.

        :param conf: name of a daemon whose configuration it reads
        """
        command = self._command(program, arguments, conf)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command."""
        return subprocess.Popen(self._command(program, arguments, _COMMANDS))

    def read(self, query: sa.Select[Any]) -> Sequence[Any]:
        """Return the rows of a query."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            rows = connection.execute(query).all()
        engine.dispose()
        return rows

    def rated_periods(self) -> Mapping[str, int]:
        """Return for how many periods each scope is rated."""
        rows = self.read(sa.select(SCOPES.c.scope_id, SCOPES.c.rated_until))
        return {scope: (until - self.begin) // self._step for scope, until in rows}

    def is_complete(self, more: int = 0) -> bool:
        """Tell whether all scopes are rated as far as was due at the start.

        :param more: periods that have become due since
        """
        periods = self.rated_periods()
        return len(periods) == len(self.scopes) and min(periods.values()) >= self.periods + more

    def rated_frames(self) -> Mapping[tuple[str, datetime.datetime], int]:
        """Return the number of frames of each scope and period before the horizon."""
        query = (
            sa.select(SCOPES.c.scope_id, FRAMES.c.begin, sa.func.count())
            .join(FRAMES, FRAMES.c.scope_id == SCOPES.c.id)
            .where(FRAMES.c.begin < self.horizon)
            .group_by(SCOPES.c.scope_id, FRAMES.c.begin)
        )
        return {(scope, begin): count for scope, begin, count in self.read(query)}

    def require_each_frame_once(self) -> None:
        """Require that each scope has one frame in each period, and that all days are right."""
        assert find_wrong_days(self.url) == []
        frames = self.rated_frames()
        assert len(frames) == len(self.scopes) * self.periods
        assert set(frames.values()) == {1}

    def _command(self, program: str, arguments: Sequence[str], conf: str) -> Sequence[str]:
        path = pathlib.Path(sys.executable).with_name(program)
        return [str(path), "--config-file", str(self._folder / f"{conf}.conf"), *arguments]

    def _write_conf(self, name: str, options: Mapping[str, object]) -> pathlib.Path:
        path = self._folder / f"{name}.conf"
        text = _CONF.format(
            url=self.url,
            folder=self._folder,
            start=self.begin.isoformat(),
            seconds=self._seconds,
            scopes=",".join(self.scopes),
            user=name,
            gnocchi=self.gnocchi.url,
            orchestrator=_lines(options),
            storage=_lines(self.storage),
        )
        path.write_text(text)
        os.chmod(path, 0o600)
        return path


def _lines(options: Mapping[str, object]) -> str:
    return "\n".join(f"{key} = {value}" for key, value in options.items())
