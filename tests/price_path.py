"""Prints the files of ratekit that one price passes, from Gnocchi's response to the database.

``python -m tests.price_path``: one resource is rated over one period, twice, with the collector on
a fake of Gnocchi's client and with SQLite. The second time, when what can be cached is cached, the
functions that run are listed by file, in the order in which the files are entered.
"""

from __future__ import annotations

import collections
import pathlib
import sys
import tempfile
from decimal import Decimal
from types import FrameType

import ratekit
from ratekit.domain.period import Window
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.batch import Batch
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from ratekit.processing.rater import Rater, Settings
from ratekit.rating.hashmap import Hashmap
from ratekit.storage import migrate
from ratekit.storage.sql import open_storage
from tests.builders import HOUR, MINUTE, call_in_turn
from tests.unit.collectors.gnocchi.test_response import SIX, collector, instance, metric

ROOT = pathlib.Path(ratekit.__file__).parent
RULE = MappingRule(
    RuleTarget("instance", "flavor"), "small", Terms(cost=Decimal("0.02"), type=CostType.FLAT)
)


def build_rater(storage: Storage) -> Rater:
    resource = instance("r1", [(0, "p1", "small")], {minute: 1.0 for minute in range(0, 120, 5)})
    settings = Settings(
        metrics=[metric()],
        for_each_metric=call_in_turn,
        batch_seconds=30.0,
        batch_frames=10**6,
        backoff=Backoff(MINUTE, HOUR),
    )
    return Rater(collector(resource), [Hashmap()], storage.ledger, storage.rules, settings)


def rate(storage: Storage, rater: Rater) -> int:
    """Rate the next period of the scope; return the number of frames."""
    observation = storage.ledger.observe([Scope("p1", "p1")], SIX + 9 * HOUR, SIX, SIX)
    [state] = observation.states
    return rater.rate(Batch(Window(state.rated_until, HOUR, 1), [state])).frames


def list_functions(storage: Storage, rater: Rater) -> dict[str, list[str]]:
    """Return the functions that run while a period is rated, by file."""
    functions: dict[str, dict[str, None]] = collections.defaultdict(dict)

    def profile(frame: FrameType, event: str, _: object) -> None:
        path = pathlib.Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            name = frame.f_code.co_qualname
            if "<" not in name:
                functions[str(path.relative_to(ROOT))][name] = None

    sys.setprofile(profile)
    try:
        frames = rate(storage, rater)
    finally:
        sys.setprofile(None)
    assert frames == 1
    return {path: list(names) for path, names in functions.items()}


def trace_second_period(folder: pathlib.Path) -> dict[str, list[str]]:
    """Return the functions that run while the second period is rated, by file.

    :param folder: for the database
    """
    url = f"sqlite:///{folder}/ratekit.sqlite"
    migrate.upgrade(url)
    storage = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
    book = storage.rules.read()
    storage.rules.change(book.version, [], [RULE], ChangeNote(SIX, "price_path"))
    rater = build_rater(storage)
    rate(storage, rater)
    return list_functions(storage, rater)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        functions = trace_second_period(pathlib.Path(folder))
    for number, (path, names) in enumerate(functions.items(), 1):
        print(f"{number:3} {path}: {', '.join(names)}")


if __name__ == "__main__":
    main()
