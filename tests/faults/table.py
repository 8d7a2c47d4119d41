"""``python -m tests.faults.table``: what each fault cost, one line a fault.

Each fault breaks one catch-up by the daemon; afterwards the database is compared with the
undisturbed one. The seconds are those from the last injection to the next commit of frames;
retries begin after one second, as configured here.
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
    dripping,
)
from tests.faults.http_proxy import Place, PolicyMismatch
from tests.faults.ledger_content import Content
from tests.faults.relay import Moment
from tests.faults.trial import (
    QUICK_TO_GIVE_UP,
    Processor,
    Site,
    Trial,
    driven,
    prepare,
    sweep,
    trial,
    waited_for,
)
from tests.faults.wire import Doing

HOURS = 14
TIMES = 2
#: Seconds for which a daemon may take to be done in spite of a fault.
LIMIT = 90.0
AGGREGATES = Place("POST", "/v1/aggregates", (b'"cpu"',))
ROLES = Place("GET", "/v3/role_assignments")

Plan = Callable[[Trial], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What one fault did.

    :ivar seconds: from the last injection to the next commit; None: there was none
    :ivar done: everything was rated in time
    """

    fault: str
    injected: int
    lost: int
    doubled: int
    changed: int
    seconds: float | None
    done: bool

    def __str__(self) -> str:
        seconds = "-" if self.seconds is None else f"{self.seconds:.1f}"
        verdict = "" if self.done else "  not done"
        return (
            f"{self.fault:<48}{self.injected:>9}{self.lost:>7}{self.doubled:>9}{self.changed:>9}"
            f"{seconds:>9}{verdict}"
        )


def faults() -> Mapping[str, Plan]:
    """Return what to plan, by name."""
    plans: dict[str, Plan] = {}
    gnocchi = {
        **NETWORK_FAULTS,
        "dripping": dripping,
        **HTTP_FAULTS,
        **GROUP_FAULTS,
        "groups without a scope": NO_SCOPE,
    }
    for name, fault in gnocchi.items():
        plans[f"Gnocchi, aggregates: {name}"] = _at_gnocchi(fault)
    for name in (*NETWORK_FAULTS, "401", "500", "502 page", "truncated JSON", "{}"):
        plans[f"Keystone, role assignments: {name}"] = _at_keystone(gnocchi[name])
    for doing, moment in (
        (Doing.BULK, Moment.BEFORE),
        (Doing.BULK, Moment.MIDDLE),
        *((Doing.COMMIT, moment) for moment in Moment if moment is not Moment.MIDDLE),
    ):
        plans[f"database, cut at {doing.value}: {moment.value}"] = _at_database(doing, moment)
    return plans


def measure(name: str, plan: Plan, tried: Trial, truth: Content) -> Line:
    """Let a daemon catch up under a fault."""
    plan(tried)
    daemon = tried.start()

    def done() -> bool:
        # What was shut is opened again as an operator would, who does not look all the time.
        for door in (tried.gnocchi.door, tried.keystone.door, tried.relay.door):
            door.open()
        return tried.is_done() or daemon.ended(1) is not None

    try:
        finished = waited_for(done, LIMIT) and tried.is_done()
        daemon.terminate()
        daemon.ended(30)
    finally:
        daemon.kill()
    struck = [*tried.gnocchi.injected_at, *tried.keystone.injected_at, *tried.relay.injected_at]
    after = [at for at in tried.relay.committed_at if at > max(struck, default=0)]
    difference = ledger_content.compare(truth, tried.content())
    return Line(
        fault=name,
        injected=len(struck),
        lost=len(difference.lost),
        doubled=len(difference.doubled),
        changed=len(difference.changed),
        seconds=min(after) - max(struck) if after and struck else None,
        done=finished,
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
        new_database(options.database, pathlib.Path(folder)) as found,
    ):
        url = driven(found)
        site = Site(cloud, pathlib.Path(folder), HOURS)
        prepare(site, url)
        truth = _truth(site, url)
        heads = ("fault", "injected", "lost", "doubled", "changed", "seconds")
        print("{:<48}{:>9}{:>7}{:>9}{:>9}{:>9}".format(*heads))
        for name, plan in faults().items():
            if re.search(options.only, name):
                sweep(url)
                with trial(site, url, QUICK_TO_GIVE_UP) as tried:
                    print(measure(name, plan, tried, truth), flush=True)


def _truth(site: Site, url: str) -> Content:
    processor = Processor(site.configured("truth", url, {}), site.folder / "truth", "--once")
    if processor.ended() != 0:
        raise SystemExit(processor.said())
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


def _at_gnocchi(fault: PolicyMismatch) -> Plan:
    return lambda tried: tried.gnocchi.plan(AGGREGATES, fault, first=2, times=TIMES)


def _at_keystone(fault: PolicyMismatch) -> Plan:
    return lambda tried: tried.keystone.plan(ROLES, fault, times=TIMES)


def _at_database(doing: Doing, moment: Moment) -> Plan:
    return lambda tried: tried.relay.plan(doing, moment, first=2, times=TIMES)


if __name__ == "__main__":
    main()
