"""ratekit-dbsync check-totals and repair-totals."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.cmd import dbsync
from ratekit.interfaces import Storage
from ratekit.storage.db.engine import Database
from tests.contract import given
from tests.daily_totals import find_wrong_days


@pytest.fixture
def usage(storage: Storage) -> None:
    """Two scopes with an hour's usage on each of 24 days, and one more."""
    for number in range(25):
        begin = given.hour(24 * number)
        states = given.list_scopes(storage, "a", "b", now=begin, start=given.START)
        series = [given.build_series(scope, [("1", "0.1")] * 24, begin=begin) for scope in "ab"]
        storage.ledger.commit(given.batch(states, *series, periods=given.window(24, begin)))


def spoil(database: str, statement: str) -> None:
    """Change the tables behind ratekit's back."""
    with Database(database).writing() as connection:
        connection.exec_driver_sql(statement)


def run(
    action: str, config: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[str], str]:
    """Return exit code, lines of output, and complaints."""
    code = dbsync.main(["--config-file", str(config), action])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


@pytest.mark.usefixtures("usage")
def test_right_sums_are_0_and_one_line(
    config: pathlib.Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"{database}: the daily totals are the sums of the totals"
    assert run("check-totals", config, capsys) == (0, [line], "")
    line = f"{database}: 0 daily totals repaired"
    assert run("repair-totals", config, capsys) == (0, [line], "")


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        (
            "UPDATE daily_totals SET price = '3' WHERE begin LIKE '2026-03-02%' AND scope_id = 1",
            [
                "scope a, 2026-03-02, metric instance (instance): 24 frames, quantity 24, price 3"
                " stored, the totals add up to 24 frames, quantity 24, price 2.4"
            ],
        ),
        (
            "DELETE FROM totals WHERE begin LIKE '2026-03-02%' AND scope_id = 2",
            [
                "scope b, 2026-03-02, metric instance (instance): 24 frames, quantity 24, price 2.4"
                " stored, the totals add up to nothing"
            ],
        ),
        (
            "DELETE FROM daily_totals WHERE begin LIKE '2026-03-_1%' AND scope_id = 2",
            [
                f"scope b, 2026-03-{day}, metric instance (instance): nothing stored, the totals"
                " add up to 24 frames, quantity 24, price 2.4"
                for day in ("01", "11", "21")
            ],
        ),
    ],
)
@pytest.mark.usefixtures("usage")
def test_wrong_sums_are_named_and_repaired(
    config: pathlib.Path,
    database: str,
    capsys: pytest.CaptureFixture[str],
    statement: str,
    lines: list[str],
) -> None:
    spoil(database, statement)
    code, out, err = run("check-totals", config, capsys)
    assert (code, out) == (1, lines)
    count = "1 daily total" if len(lines) == 1 else f"{len(lines)} daily totals"
    assert err == f"ratekit-dbsync: {count} wrong; run ratekit-dbsync repair-totals\n"
    assert find_wrong_days(database) != []
    expected = (0, [*lines, f"{database}: {count} repaired"], "")
    assert run("repair-totals", config, capsys) == expected
    assert find_wrong_days(database) == []
    assert run("check-totals", config, capsys)[0] == 0


@pytest.mark.usefixtures("usage")
def test_of_very_many_wrong_sums_the_first_are_named(
    config: pathlib.Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(database, "DELETE FROM daily_totals")
    code, out, err = run("check-totals", config, capsys)
    assert (code, len(out), out[-1]) == (1, 21, "... and 30 more")
    assert "50 daily totals wrong" in err
    assert run("repair-totals", config, capsys)[0] == 0
    assert find_wrong_days(database) == []


def test_a_database_at_another_revision_is_refused(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new.conf"
    path.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/new.sqlite\n")
    for action in ("check-totals", "repair-totals"):
        code, out, err = run(action, path, capsys)
        assert (code, out) == (2, [])
        assert err.endswith("run ratekit-dbsync upgrade\n")
