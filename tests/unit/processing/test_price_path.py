"""The way of one price, as doc/architecture.rst describes it."""

import pathlib

from tests import price_path

ROOMS = {
    "processing": ["rater.py", "priced_usage.py"],
    "collectors/gnocchi": ["collector.py", "query_runner.py", "response.py"],
    "domain/usage": ["quantities.py", "metric.py"],
    "pricing": ["price_list.py"],
    "rating": ["hashmap.py", "formulas.py", "formula.py"],
    "storage/ledger": ["ledger.py", "frames.py", "descriptors.py"],
}


def test_a_price_passes_through_the_six_rooms_and_no_other(tmp_path: pathlib.Path) -> None:
    paths = list(price_path.trace_second_period(tmp_path))
    assert {f"{room}/{file}" for room, files in ROOMS.items() for file in files} <= set(paths)
    assert {path.partition("/")[0] for path in paths} == {room.partition("/")[0] for room in ROOMS}
