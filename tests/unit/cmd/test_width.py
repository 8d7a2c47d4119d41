"""Every table fits a terminal of 80 columns, and none breaks a word or a number."""

from __future__ import annotations

import pathlib
import re

import pytest
import wcwidth

from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell, configure

SCOPES = {
    "5f1c2a3b4d5e6f708192a3b4c5d6e7f8": "customer-17-production",
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9": "Ünïcödé 客户",
    "ffffffffffffffffffffffffffffffff": "",
}
IDS = tuple(SCOPES)
INSTANCE = "7d0b7e1c-5a3f-4e21-9f10-0d8f5ad2c144"
METRICS = pathlib.Path(__file__).parents[3] / "etc/ratekit/metrics.yml"
RULES = """services:
  instance:
    fields:
      flavor_name:
        mappings:
          - {value: m1.small, cost: "0.0123456789", type: flat, group: uptime}
  volume.size:
    thresholds: [{level: "100", cost: "0.95", type: rate}]
"""


@pytest.fixture
def cloud(ratekit: Shell, storage: Storage, tmp_path: pathlib.Path) -> None:
    """Three scopes with UUIDs, long prices, a failing scope, tasks, and changes of the rules."""
    ratekit.width = 80
    configure(ratekit.config, "rating", "currency = EUR")
    text = ratekit.config.read_text()
    ratekit.config.write_text(text.replace(str(tmp_path / "metrics.yml"), str(METRICS)))
    scopes = [Scope(id_, name) for id_, name in SCOPES.items()]
    observation = storage.ledger.observe(scopes, given.START, given.START, given.START)
    states = sorted(observation.states, key=lambda state: IDS.index(state.scope.id))
    labels = {"id": INSTANCE}
    metadata = {"flavor_name": "m1.small", "image_ref": INSTANCE}
    series = [
        given.build_series(
            scope,
            [("0.666666666666666667", "1234.05333333333333333336")] * 30,
            labels=labels,
            metadata=metadata,
        )
        for scope in IDS
    ]
    volumes = given.build_series(
        IDS[0], [("123456", "0.0004")] * 30, metric="volume.size", unit="GiB"
    )
    storage.ledger.commit(
        given.batch(states, *series, volumes, periods=given.window(30), metrics=("instance",))
    )
    failing = storage.ledger.observe(scopes, given.hour(30), given.START, given.START).states[:1]
    reason = f"Gnocchi did not finish within 300 s: https://gnocchi.example.org:8041/v1/{INSTANCE}"
    storage.ledger.postpone(failing, reason, given.hour(37))
    rules = tmp_path / "hashmap.yml"
    rules.write_text(RULES)
    comment = "price list of November, as agreed with all customers"
    change = ("hashmap", "apply", str(rules), "--yes", "--allow-free", "--comment", comment)
    assert ratekit(*change).code == 0
    again = ("reprocess", "--all-scopes", "--begin", "2026-03-01", "--end", "2026-03-02")
    answer = ratekit(*again, "--reason", comment, "--yes")
    assert answer.code == 0, answer.err


TABLES = [
    "scope list --all",
    f"scope show {IDS[0]}",
    f"scope show {IDS[0]} --periods 100",
    "summary",
    "summary --ids",
    "summary --groupby scope,metric,day",
    "summary --groupby scope,flavor_name,image_ref",
    "summary --pivot day --month 2026-03",
    "summary --pivot hour --begin 2026-03-01 --end 2026-03-02",
    "summary --compare 2026-02 2026-03",
    "summary --sort-column Price",
    "frame list --limit 3",
    "frame list --limit 3 --ids",
    "metric list",
    "hashmap history",
    "hashmap history 1",
    "reprocess list",
    "reprocess show 1",
    f"reprocess --scope {IDS[0]} --begin 2026-03-01 --end 2026-03-02 --rates-only --dry-run "
    "--reason x",
    f"explain --scope {IDS[0]} --metric instance --period 2026-03-01 --offline",
    "quote --service instance --qty 0.666666666666666667 --label flavor_name=m1.small "
    f"--label id={INSTANCE}",
]


def pieces(output: str) -> set[str]:
    """Return what is never wrapped: texts between spaces, frames and punctuation."""
    return set(re.split(r"[\s|+=,;:/T…-]+", output))


def test_tables_fit_a_terminal_of_80_columns(ratekit: Shell, cloud: None) -> None:
    for command in TABLES:
        ratekit.width = 80
        narrow = ratekit(*command.split())
        assert narrow.code == 0, narrow.err
        lines = narrow.out.splitlines()
        assert [line for line in lines if wcwidth.wcswidth(line) > 80] == [], command
        frames = [line for line in lines if line.startswith("+")]
        assert len(frames) % 3 == 0, command
        if not command.startswith("scope show"):  # which has other times where its strip wraps
            ratekit.width = 2000
            wide = pieces(ratekit(*command.split()).out)
            assert pieces(narrow.out) <= wide | {piece[:8] for piece in wide}, command


def test_a_pipe_gets_lines_of_any_length(
    ratekit: Shell, cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratekit.width = 0
    answer = ratekit("frame", "list", "--limit", "1")
    assert max(map(len, answer.out.splitlines())) > 200
    assert answer.out.count(INSTANCE) == 2
    assert answer.out.count("\n") == 5


def test_an_option_is_stronger_than_the_terminal(ratekit: Shell, cloud: None) -> None:
    answer = ratekit("frame", "list", "--limit", "1", "--max-width", "120")
    assert 80 < max(map(len, answer.out.splitlines())) <= 120


def test_times_and_names_are_wrapped_where_they_can_be_read(ratekit: Shell, cloud: None) -> None:
    ratekit.width = 56
    columns = ("-c", "Scope", "-c", "Name", "-c", "Rated until", "-c", "Lag")
    assert (
        ratekit("scope", "list", "--sort-column", "Name", *columns).out
        == """\
+-----------+--------------+-------------+-----+
| Scope     | Name         | Rated until | Lag |
+-----------+--------------+-------------+-----+
| ffffffff… |              | 2026-03-02T | 5 h |
|           |              | 06:00:00Z   |     |
| 5f1c2a3b… | customer-17- | 2026-03-02T | 5 h |
|           | production   | 06:00:00Z   |     |
| 0a1b2c3d… | Ünïcödé 客户 | 2026-03-02T | 5 h |
|           |              | 06:00:00Z   |     |
+-----------+--------------+-------------+-----+
"""
    )


def test_ids_are_whole_on_request(ratekit: Shell, cloud: None) -> None:
    for command in ("scope", "frame"):
        out = ratekit(command, "list", "--ids").out
        assert all(id_ in out for id_ in IDS[:2])
        assert "…" not in out
