"""``python -m tests.faults.table``: prints the effect of each fault, one line a fault.

Each fault is injected while a daemon catches up; then the database is compared with one that was
rated without faults. The seconds are those from the last injection to the next commit of frames;
the first retry comes after one second, as configured here.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping

from tests import stack
from tests.databases import SERVERS, new_database
from tests.faults import ledger_content
from tests.faults.http_faults import (
    GROUP_FAULTS,
    HTTP_FAULTS,
    NETWORK_FAULTS,
    NO_SCOPE,
    drip,
)
from tests.faults.http_proxy import Fault, Place
from tests.faults.ledger_content import Content
from tests.faults.relay import Moment
from tests.faults.trial import (
    SHORT_BATCH_TIMEOUT,
    Processor,
    Site,
    Trial,
    delete_rated_data,
    prepare,
    trial,
    wait_until,
    with_driver,
)
from tests.faults.wire import MessageKind

HOURS = 14
TIMES = 2
#: Seconds within which a daemon must catch up in spite of a fault.
LIMIT = 90.0
AGGREGATES = Place("POST", "/v1/aggregates", (b'"cpu"',))
ROLES = Place("GET", "/v3/role_assignments")

Plan = Callable[[Trial], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """The effect of one fault.

    :ivar seconds: from the last injection to the next commit; None: there was none
    :ivar is_complete: everything was rated in time
    """

    fault: str
    injections: int
    lost: int
    doubled: int
    changed: int
    seconds: float | None
    is_complete: bool

    def __str__(self) -> str:
        seconds = "-" if self.seconds is None else f"{self.seconds:.1f}"
        verdict = "" if self.is_complete else "  not done"
        return (
            f"{self.fault:<48}{self.injections:>9}{self.lost:>7}{self.doubled:>9}{self.changed:>9}"
            f"{seconds:>9}{verdict}"
        )


def faults() -> Mapping[str, Plan]:
    """Return the plan of each fault, by name."""
    plans: dict[str, Plan] = {}
    gnocchi = {
        **NETWORK_FAULTS,
        "dripping": drip,
        **HTTP_FAULTS,
        **GROUP_FAULTS,
        "groups without a scope": NO_SCOPE,
    }
    for name, fault in gnocchi.items():
        plans[f"Gnocchi, aggregates: {name}"] = _at_gnocchi(fault)
    for name in (*NETWORK_FAULTS, "401", "500", "502 page", "truncated JSON", "{}"):
        plans[f"Keystone, role assignments: {name}"] = _at_keystone(gnocchi[name])
    for kind, moment in (
        (MessageKind.BULK, Moment.BEFORE),
        (MessageKind.BULK, Moment.MIDDLE),
        *((MessageKind.COMMIT, moment) for moment in Moment if moment is not Moment.MIDDLE),
    ):
        plans[f"database, cut at {kind.value}: {moment.value}"] = _at_database(kind, moment)
    return plans


def measure(name: str, plan: Plan, trial_run: Trial, expected_content: Content) -> Line:
    """Let a daemon catch up with a fault."""
    plan(trial_run)
    daemon = trial_run.start()

    def has_stopped() -> bool:
        # A closed listener is opened again after a while, as a service comes back.
        for listener in (
            trial_run.gnocchi.listener,
            trial_run.keystone.listener,
            trial_run.relay.listener,
        ):
            listener.open()
        return trial_run.is_complete() or daemon.wait(1) is not None

    try:
        is_complete = wait_until(has_stopped, LIMIT) and trial_run.is_complete()
        daemon.terminate()
        daemon.wait(30)
    finally:
        daemon.kill()
    times = [
        *trial_run.gnocchi.injection_times,
        *trial_run.keystone.injection_times,
        *trial_run.relay.injection_times,
    ]
    after = [at for at in trial_run.relay.commit_times if at > max(times, default=0)]
    difference = ledger_content.compare(expected_content, trial_run.content())
    return Line(
        fault=name,
        injections=len(times),
        lost=len(difference.lost),
        doubled=len(difference.doubled),
        changed=len(difference.changed),
        seconds=min(after) - max(times) if after and times else None,
        is_complete=is_complete,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.table", description=__doc__)
    parser.add_argument("--stack", help="folder of a running stack; else one is started")
    parser.add_argument("--database", choices=SERVERS, default=SERVERS[0])
    parser.add_argument("--only", default="", help="pattern in the names of faults")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        _cloud(options.stack, pathlib.Path(folder)) as cloud,
        new_database(options.database, pathlib.Path(folder)) as database_url,
    ):
        url = with_driver(database_url)
        site = Site(cloud, pathlib.Path(folder), HOURS)
        prepare(site, url)
        expected_content = _expected_content(site, url)
        heads = ("fault", "injected", "lost", "doubled", "changed", "seconds")
        print("{:<48}{:>9}{:>7}{:>9}{:>9}{:>9}".format(*heads))
        for name, plan in faults().items():
            if re.search(options.only, name):
                delete_rated_data(url)
                with trial(site, url, SHORT_BATCH_TIMEOUT) as trial_run:
                    print(measure(name, plan, trial_run, expected_content), flush=True)


def _expected_content(site: Site, url: str) -> Content:
    processor = Processor(site.write_conf("expected", url, {}), site.folder / "expected", "--once")
    if processor.wait() != 0:
        raise SystemExit(processor.log_text())
    return site.content(url)


@contextlib.contextmanager
def _cloud(running: str | None, folder: pathlib.Path) -> Iterator[stack.Stack]:
    if running:
        yield stack.running(running)
        return
    try:
        yield stack.up(folder / "cloud")
    finally:
        stack.down(folder / "cloud")


def _at_gnocchi(fault: Fault) -> Plan:
    return lambda trial_run: trial_run.gnocchi.plan(AGGREGATES, fault, first=2, times=TIMES)


def _at_keystone(fault: Fault) -> Plan:
    return lambda trial_run: trial_run.keystone.plan(ROLES, fault, times=TIMES)


def _at_database(kind: MessageKind, moment: Moment) -> Plan:
    return lambda trial_run: trial_run.relay.plan(kind, moment, first=2, times=TIMES)


if __name__ == "__main__":
    main()
