"""One database's catch-up under faults: ratekit's own commands, a proxy, a relay."""

from __future__ import annotations

import configparser
import contextlib
import dataclasses
import datetime
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import psutil
import sqlalchemy as sa

from tests import stack
from tests.faults import ledger_content
from tests.faults.http_proxy import Proxy, proxied
from tests.faults.ledger_content import Content, Difference
from tests.faults.relay import Relay, relayed

HOUR = datetime.timedelta(hours=1)
METRICS = pathlib.Path(__file__).with_name("metrics.yml")
RULES = pathlib.Path(__file__).parents[1] / "functional/rules.yml"
#: Seconds after which a processor that does not end by itself is taken to hang.
PATIENCE = 240.0
#: What a batch may hold, so that there are many commits.
SMALL_BATCHES: Mapping[str, Mapping[str, object]] = {
    "orchestrator": {"batch_frames": 30, "retry_seconds": 1}
}
#: Seconds to wait for an answer, where some never come.
IMPATIENT: Mapping[str, Mapping[str, object]] = {
    **SMALL_BATCHES,
    "collector_gnocchi": {"timeout": 2},
    "fetcher_keystone": {"timeout": 2},
}
#: Seconds for a whole batch, where some answers never end.
QUICK_TO_GIVE_UP: Mapping[str, Mapping[str, object]] = {
    **IMPATIENT,
    "orchestrator": {**SMALL_BATCHES["orchestrator"], "batch_timeout": 5},
}

Options = Mapping[str, Mapping[str, object]]


class Processor:
    """A process of ``ratekit-processor``.

    :ivar log: what it wrote to standard error
    """

    def __init__(self, conf: pathlib.Path, log: pathlib.Path, *arguments: str) -> None:
        program = pathlib.Path(sys.executable).with_name("ratekit-processor")
        self.log = log
        with log.open("w", encoding="utf-8") as output:
            self._popen = subprocess.Popen(
                [program, "--config-file", conf, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            )

    def ended(self, seconds: float = PATIENCE) -> int | None:
        """Wait for its end; None: it goes on."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Leave it and its workers no time for anything."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def kill_first(self) -> None:
        """Kill the process that was started, not its workers."""
        self._popen.kill()
        self._popen.wait()

    def workers(self) -> list[psutil.Process]:
        """Return the processes that it has started."""
        return psutil.Process(self._popen.pid).children()

    def terminate(self) -> None:
        """Ask it to end."""
        self._popen.terminate()

    def said(self) -> str:
        """Return its log so far."""
        return self.log.read_text(encoding="utf-8")


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """Where ratekit is tried.

    :ivar hours: of history to catch up with
    """

    cloud: stack.Stack
    folder: pathlib.Path
    hours: int

    @property
    def horizon(self) -> datetime.datetime:
        """End of the last period that is due whenever the test runs."""
        return self.cloud.plan().end - HOUR

    @property
    def start(self) -> datetime.datetime:
        """Begin of the first period."""
        return self.horizon - self.hours * HOUR

    def content(self, url: str) -> Content:
        """Read a database up to the horizon: the rest depends on when it was rated.

        All of it must add up.
        """
        whole = ledger_content.read(url)
        assert ledger_content.wrong_sums(whole) == []
        return whole.until(self.horizon)

    def configured(self, name: str, url: str, options: Options) -> pathlib.Path:
        """Write a configuration; return its path."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(self.cloud.conf_path)
        base: Options = {
            "database": {"connection": url},
            "collect": {"start": self.start, "metrics_conf": METRICS},
        }
        for section, values in [*base.items(), *options.items()]:
            if not parser.has_section(section):
                parser.add_section(section)
            for key, value in values.items():
                parser[section][key] = str(value)
        path = self.folder / f"{name}.conf"
        with path.open("w", encoding="utf-8") as file:
            parser.write(file)
        return path


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """A database of its own, and everything around it that may break.

    :ivar url: SQLAlchemy URL of the database itself, past the relay
    """

    site: Site
    url: str
    relay: Relay
    gnocchi: Proxy
    keystone: Proxy
    conf: pathlib.Path

    def start(self, *arguments: str) -> Processor:
        """Start a processor."""
        number = sum(1 for _ in self.site.folder.glob("*.log"))
        return Processor(self.conf, self.site.folder / f"{number:03}.log", *arguments)

    def once(self, patience: float = PATIENCE) -> int:
        """Rate once, to the end; return the exit code. A traceback is a failure."""
        processor = self.start("--once")
        try:
            code = processor.ended(patience)
        finally:
            processor.kill()
        assert code is not None, f"hangs: {processor.said()}"
        assert "Traceback" not in processor.said(), processor.said()
        return code

    def until_done(self, limit: int = 8) -> int:
        """Rate again and again, opening what was shut; return how often it failed."""
        for failed in range(limit):
            if self.once() == 0:
                return failed
            self.gnocchi.door.open()
            self.keystone.door.open()
            self.relay.door.open()
        raise AssertionError(f"not done after {limit} runs")

    def is_done(self) -> bool:
        """Tell whether every scope is rated up to the horizon, and there are some."""
        states = ledger_content.read(self.url).states.values()
        horizon = self.site.horizon.replace(tzinfo=None)
        return bool(states) and all(state.rated_until >= horizon for state in states)

    def heal(self) -> None:
        """Let everything behave from now on."""
        self.gnocchi.heal()
        self.keystone.heal()
        self.relay.heal()

    def content(self) -> Content:
        """Return what the database holds up to the horizon."""
        return self.site.content(self.url)

    def difference(self, truth: Content) -> Difference:
        """Compare with the truth."""
        return ledger_content.compare(truth, self.content())


def prepare(site: Site, url: str) -> None:
    """Migrate an empty database and put the rules in force, by the commands for that."""
    conf = site.configured("prepare", url, {})
    for command, *arguments in (
        ("ratekit-dbsync", "upgrade"),
        # Trials rate fewer metrics than there are rules for.
        ("ratekit", "hashmap", "apply", str(RULES), "--yes", "--allow-unknown"),
    ):
        program = pathlib.Path(sys.executable).with_name(command)
        done = subprocess.run(
            [program, "--config-file", conf, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def sweep(url: str) -> None:
    """Delete everything but the rules, as if nothing had ever been rated."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    tables = sa.MetaData()
    with engine.begin() as connection:
        tables.reflect(connection)
        for table in reversed(tables.sorted_tables):
            if not table.name.startswith(("hashmap_", "alembic_")):
                connection.execute(table.delete())
    engine.dispose()


@contextlib.contextmanager
def trial(site: Site, url: str, options: Options) -> Iterator[Trial]:
    """Set a trial up around a database in which nothing has been rated.

    :param options: beside those that lead through proxy and relay
    """
    cloud = site.cloud
    keystone_root = cloud.keystone_url.removesuffix("/v3")
    with (
        proxied(cloud.gnocchi_url) as gnocchi,
        proxied(keystone_root) as keystone,
        relayed(url) as relay,
    ):
        keystone.moved.update({keystone_root: keystone.url, cloud.gnocchi_url: gnocchi.url})
        through = {**options, "ratekit_auth": {"auth_url": f"{keystone.url}/v3"}}
        conf = site.configured("trial", relay.url, through)
        yield Trial(site, url, relay, gnocchi, keystone, conf)


def waited_for(condition: Callable[[], bool], limit: float = PATIENCE) -> bool:
    """Wait until something is true; False: it was not in time."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def driven(url: str) -> str:
    """Name the driver in a URL that leaves it open, for SQLAlchemy's own sake."""
    parsed = sa.make_url(url)
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    named = drivers.get(parsed.get_backend_name(), parsed.drivername)
    return parsed.set(drivername=named).render_as_string(hide_password=False)
