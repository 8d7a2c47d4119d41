"""One database that ratekit's commands fill in spite of faults, through proxies and a relay."""

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
from tests.builders import HOUR
from tests.daily_totals import find_wrong_days
from tests.faults import ledger_content
from tests.faults.http_proxy import Proxy, run_proxy
from tests.faults.ledger_content import Content, Difference
from tests.faults.relay import Relay, run_relay

METRICS = pathlib.Path(__file__).with_name("metrics.yml")
RULES = pathlib.Path(__file__).parents[1] / "functional/rules.yml"
#: Seconds after which a processor that has not ended counts as hanging.
TIMEOUT = 600.0
#: Small batches, so that there are many commits.
SMALL_BATCHES: Mapping[str, Mapping[str, object]] = {
    "orchestrator": {"batch_frames": 30, "retry_seconds": 1}
}
#: Short timeouts of requests, for faults without a response.
SHORT_TIMEOUTS: Mapping[str, Mapping[str, object]] = {
    **SMALL_BATCHES,
    "collector_gnocchi": {"timeout": 2},
    "fetcher_keystone": {"timeout": 2},
}
#: A short timeout of a batch, for responses without an end.
SHORT_BATCH_TIMEOUT: Mapping[str, Mapping[str, object]] = {
    **SHORT_TIMEOUTS,
    "orchestrator": {**SMALL_BATCHES["orchestrator"], "batch_timeout": 5},
}

Options = Mapping[str, Mapping[str, object]]


class Processor:
    """A process of ``ratekit-processor``.

    :ivar log: file with its standard error
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

    def wait(self, seconds: float = TIMEOUT) -> int | None:
        """Wait for its end; return the exit code, or None if it still runs."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Kill it and its workers with SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def kill_first(self) -> None:
        """Kill the first process, not its workers."""
        self._popen.kill()
        self._popen.wait()

    def workers(self) -> list[psutil.Process]:
        """Return its worker processes."""
        return psutil.Process(self._popen.pid).children()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._popen.terminate()

    def log_text(self) -> str:
        """Return its log so far."""
        return self.log.read_text(encoding="utf-8")


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """The cloud, a folder, and the range of time to rate.

    :ivar hours: number of hours to rate
    """

    cloud: stack.Stack
    folder: pathlib.Path
    hours: int

    @property
    def horizon(self) -> datetime.datetime:
        """End of the last period that is due for the whole duration of a test."""
        return self.cloud.plan().end - HOUR

    @property
    def start(self) -> datetime.datetime:
        """Start of the first period."""
        return self.horizon - self.hours * HOUR

    def content(self, url: str) -> Content:
        """Read a database up to the horizon; later rows depend on the time of rating.

        All totals must be the sums of their frames, all daily totals those of their totals.
        """
        whole = ledger_content.read(url)
        assert ledger_content.wrong_sums(whole) == []
        assert find_wrong_days(url) == []
        return whole.until(self.horizon)

    def write_conf(self, name: str, url: str, options: Options) -> pathlib.Path:
        """Write a configuration; return its path."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(self.cloud.conf_path)
        base: Options = {
            "database": {"connection": url},
            "collect": {"start": self.start, "metrics_conf": METRICS},
            "rating": {"without_rules": "free"},
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
    """A database, and the proxies and the relay that inject faults.

    :ivar url: SQLAlchemy URL of the database without the relay
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

    def once(self, timeout: float = TIMEOUT) -> int:
        """Rate once; return the exit code. A traceback is a failure."""
        processor = self.start("--once")
        try:
            code = processor.wait(timeout)
        finally:
            processor.kill()
        assert code is not None, f"does not end: {processor.log_text()}"
        assert "Traceback" not in processor.log_text(), processor.log_text()
        return code

    def rate_until_done(self, limit: int = 8) -> int:
        """Rate until it succeeds, opening all listeners; return the number of failures."""
        for failed in range(limit):
            if self.once() == 0:
                return failed
            self.gnocchi.listener.open()
            self.keystone.listener.open()
            self.relay.listener.open()
        raise AssertionError(f"not complete after {limit} runs")

    def is_complete(self) -> bool:
        """Tell whether there are scopes, and all are rated up to the horizon."""
        states = ledger_content.read(self.url).states.values()
        horizon = self.site.horizon.replace(tzinfo=None)
        return bool(states) and all(state.rated_until >= horizon for state in states)

    def clear_faults(self) -> None:
        """Inject no more faults."""
        self.gnocchi.clear_faults()
        self.keystone.clear_faults()
        self.relay.clear_faults()

    def content(self) -> Content:
        """Return the database's content up to the horizon."""
        return self.site.content(self.url)

    def difference(self, expected_content: Content) -> Difference:
        """Compare the database with the expected content."""
        return ledger_content.compare(expected_content, self.content())


def prepare(site: Site, url: str) -> None:
    """Migrate an empty database and apply the rules, with ratekit's commands."""
    conf = site.write_conf("prepare", url, {})
    for command, *arguments in (
        ("ratekit-dbsync", "upgrade"),
        # Trials rate only some of the metrics that have rules.
        ("ratekit", "hashmap", "apply", str(RULES), "--yes", "--allow-unknown"),
    ):
        program = pathlib.Path(sys.executable).with_name(command)
        result = subprocess.run(
            [program, "--config-file", conf, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr


def delete_rated_data(url: str) -> None:
    """Delete everything but the rules, as if nothing had been rated."""
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
    """Set up a trial with a database without rated usage.

    :param options: in addition to those that lead through proxies and relay
    """
    cloud = site.cloud
    keystone_root = cloud.keystone_url.removesuffix("/v3")
    with (
        run_proxy(cloud.gnocchi_url) as gnocchi,
        run_proxy(keystone_root) as keystone,
        run_relay(url) as relay,
    ):
        keystone.replacements.update({keystone_root: keystone.url, cloud.gnocchi_url: gnocchi.url})
        through = {**options, "ratekit_auth": {"auth_url": f"{keystone.url}/v3"}}
        conf = site.write_conf("trial", relay.url, through)
        yield Trial(site, url, relay, gnocchi, keystone, conf)


def wait_until(condition: Callable[[], bool], limit: float = TIMEOUT) -> bool:
    """Wait until a condition is true; return False if it is not true in time."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def with_driver(url: str) -> str:
    """Add the driver to a URL without one, for a plain SQLAlchemy engine."""
    parsed = sa.make_url(url)
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    driver = drivers.get(parsed.get_backend_name(), parsed.drivername)
    return parsed.set(drivername=driver).render_as_string(hide_password=False)
