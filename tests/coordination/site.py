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
from collections.abc import Mapping
from typing import Any

import psutil
import sqlalchemy as sa

from ratekit.domain import period
from tests.builders import SECOND
from tests.coordination.gnocchi import Gnocchi
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
"""
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

    :ivar scopes: ids
    :ivar periods: number of periods that are due at the start
    """

    def __init__(
        self, folder: pathlib.Path, url: str, gnocchi: Gnocchi, scopes: int, periods: int
    ) -> None:
        self._folder = folder
        self._url = with_driver(url)
        self.gnocchi = gnocchi
        self.scopes = [f"scope-{number:04d}" for number in range(scopes)]
        self.periods = periods
        self._step = gnocchi.step
        self._seconds = self._step // SECOND
        self.horizon = period.floor(datetime.datetime.now(datetime.UTC), self._step)
        self._daemons: list[Daemon] = []
        (folder / "metrics.yml").write_text(_METRICS.format(seconds=self._seconds))
        program = pathlib.Path(sys.executable).with_name("ratekit-dbsync")
        conf = self._write_conf("upgrade", {})
        subprocess.run([program, "--config-file", conf, "upgrade"], check=True)

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
        program = pathlib.Path(sys.executable).with_name("ratekit")
        conf = self._folder / f"{name}.conf"
        command = [str(program), "--config-file", str(conf), "status", "-f", "json"]
        result = subprocess.run(command, capture_output=True, check=False)
        assert result.stderr == b""
        return json.loads(result.stdout)

    def rated_periods(self) -> Mapping[str, int]:
        """Return for how many periods each scope is rated."""
        engine = sa.create_engine(self._url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT scope_id, rated_until FROM scopes")).all()
        engine.dispose()
        start = (self.horizon - self.periods * self._step).replace(tzinfo=None)
        return {scope: (until.replace(tzinfo=None) - start) // self._step for scope, until in rows}

    def is_complete(self, more: int = 0) -> bool:
        """Tell whether all scopes are rated as far as was due at the start.

        :param more: periods that have become due since
        """
        periods = self.rated_periods()
        return len(periods) == len(self.scopes) and min(periods.values()) >= self.periods + more

    def rated_frames(self) -> Mapping[tuple[str, datetime.datetime], int]:
        """Return the number of frames of each scope and period before the horizon."""
        engine = sa.create_engine(self._url, poolclass=sa.NullPool)
        query = (
            "SELECT s.scope_id, f.begin, COUNT(*) FROM frames f "
            "JOIN scopes s ON s.id = f.scope_id GROUP BY s.scope_id, f.begin"
        )
        with engine.connect() as connection:
            rows = connection.execute(sa.text(query)).all()
        engine.dispose()
        return {
            (scope, begin): count
            for scope, begin, count in rows
            if begin.replace(tzinfo=datetime.UTC) < self.horizon
        }

    def require_each_frame_once(self) -> None:
        """Require that each scope has one frame in each period."""
        frames = self.rated_frames()
        assert len(frames) == len(self.scopes) * self.periods
        assert set(frames.values()) == {1}

    def _write_conf(self, name: str, options: Mapping[str, object]) -> pathlib.Path:
        path = self._folder / f"{name}.conf"
        text = _CONF.format(
            url=self._url,
            folder=self._folder,
            start=(self.horizon - self.periods * self._step).isoformat(),
            seconds=self._seconds,
            scopes=",".join(self.scopes),
            user=name,
            gnocchi=self.gnocchi.url,
            orchestrator="\n".join(f"{key} = {value}" for key, value in options.items()),
        )
        path.write_text(text)
        os.chmod(path, 0o600)
        return path
