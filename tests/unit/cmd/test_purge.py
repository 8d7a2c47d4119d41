"""ratekit-dbsync purge, and what reports say after it."""

from __future__ import annotations

import datetime
import pathlib

import pytest

from ratekit.cmd import dbsync, startup
from ratekit.domain.purge import PurgeMark
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

JANUARY = datetime.datetime(2026, 1, 30, tzinfo=datetime.UTC)
#: Hours until the 2nd of April, 4:00.
COUNT = 1492


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is April 2nd."""
    instant = JANUARY + COUNT * given.HOUR
    monkeypatch.setattr(startup, "now", lambda: instant)


@pytest.fixture
def history(storage: Storage) -> Storage:
    """One scope with a frame an hour from January 30th until now."""
    states = given.list_scopes(
        storage, "a", start=JANUARY, resume=JANUARY, now=JANUARY + COUNT * given.HOUR
    )
    series = given.build_series("a", [("1", "0.1")] * COUNT, begin=JANUARY)
    periods = given.window(COUNT, JANUARY)
    storage.ledger.commit(given.batch(states, series, periods=periods))
    return storage


def purge(
    config: pathlib.Path, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    """Run ``ratekit-dbsync purge``."""
    code = dbsync.main(["--config-file", str(config), "purge", *words])
    return code, *capsys.readouterr()


def test_a_dry_run_counts_and_a_purge_removes(
    config: pathlib.Path, history: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = purge(config, capsys, "--before", "2026-02", "--dry-run")
    assert (code, err) == (0, "")
    assert out == "48 frames and 48 totals before 2026-02-01T00:00:00Z would be removed\n"
    assert given.total(history)[0] == COUNT
    code, out, err = purge(config, capsys, "--before", "2026-02", "--keep-totals")
    assert (code, err) == (0, "")
    assert out == "48 frames and 0 totals before 2026-02-01T00:00:00Z were removed\n"
    assert given.total(history)[0] == COUNT
    assert len(given.read_frames(history)) == COUNT - 48


def test_the_current_and_the_previous_month_are_kept_without_force(
    config: pathlib.Path, history: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = purge(config, capsys, "--before", "2026-03-02")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "since 2026-03-01T00:00:00Z, the begin of the previous month, is kept" in err
    assert history.purge.mark() == PurgeMark()
    assert purge(config, capsys, "--before", "2026-03-01")[0] == 0
    assert purge(config, capsys, "--before", "2026-03-02", "--force")[0] == 0
    code, _, err = purge(config, capsys, "--before", "2026-04-02T05:00", "--force")
    assert code == 2
    assert "expected 2026-04-02T04:00:00Z" in err


def test_months_are_counted_from_the_newest_period_not_by_a_wrong_clock(
    config: pathlib.Path,
    history: Storage,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(startup, "now", lambda: given.hour(24 * 365))
    assert purge(config, capsys, "--before", "2026-03-02")[0] == 2
    assert history.purge.mark() == PurgeMark()


def test_a_time_is_required(config: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert purge(config, capsys) == (2, "", "ratekit-dbsync: purge needs --before TIME\n")


def test_a_scope_that_is_behind_is_reported(
    config: pathlib.Path, history: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    given.list_scopes(history, "a", "new", start=JANUARY, now=JANUARY + COUNT * given.HOUR)
    code, out, err = purge(config, capsys, "--before", "2026-02")
    assert code == 0
    assert out.startswith("48 frames")
    assert "1 scope not yet rated until 2026-02-01T00:00:00Z" in err


def test_reports_over_what_was_purged_say_so(ratekit: Shell, history: Storage) -> None:
    history.purge.start(JANUARY + 24 * given.HOUR, totals=False)
    ratekit.now = JANUARY + COUNT * given.HOUR
    line = "ratekit: what was rated before 2026-01-31T00:00:00Z was purged; this report may lack it"
    for words in ("frame list", "summary --groupby project_id"):
        lines = ratekit(*words.split(), "--month", "2026-01", "-f", "csv").err.splitlines()
        assert line in lines
    assert ratekit("summary", "--month", "2026-01").err == ""
    history.purge.start(JANUARY + 24 * given.HOUR, totals=True)
    for words in ("--month 2026-01", "--pivot day --month 2026-01", "--compare 2026-01 2026-03"):
        assert line in ratekit("summary", *words.split(), "-f", "csv").err.splitlines()
    assert ratekit("frame", "list", "--month", "2026-02").err.count("purged") == 0


def test_purged_periods_of_a_scope_are_shown_as_such(ratekit: Shell, history: Storage) -> None:
    ratekit.now = JANUARY + COUNT * given.HOUR
    history.purge.start(ratekit.now - 4 * given.HOUR, totals=True)
    list(history.purge.remove(10_000))
    lines = ratekit("scope", "show", "a", "--periods", "5").out.splitlines()
    table = [line.split("|")[2].strip() for line in lines if line.startswith("|")]
    assert "instance  p p p 1 1" in table
    assert "p purged" in table
    fields = ratekit("scope", "show", "a", "--periods", "5", "-f", "json").json()
    [metric] = fields["Last periods"]
    assert [period["state"] for period in metric["periods"]] == [*["purged"] * 3, *["points"] * 2]


def test_the_frame_of_a_purged_period_is_not_just_missing(ratekit: Shell, history: Storage) -> None:
    history.purge.start(JANUARY + 24 * given.HOUR, totals=False)
    list(history.purge.remove(10_000))
    words = "explain --scope a --metric instance --offline --period"
    answer = ratekit(*words.split(), "2026-01-30T05:00:00Z")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "ratekit: no frame of instance of scope a in the period starting at 2026-01-30T05:00:00Z: "
        "what was rated before 2026-01-31T00:00:00Z was purged\n"
    )


def test_what_was_purged_is_neither_reset_nor_reprocessed(ratekit: Shell, history: Storage) -> None:
    history.purge.start(JANUARY + 24 * given.HOUR, totals=True)
    ratekit.now = JANUARY + COUNT * given.HOUR
    for words in (
        "scope reset a --to 2026-01-30 --yes",
        "reprocess --scope a --begin 2026-01-30 --end 2026-02-01 --reason why --yes",
        "reprocess --scope a --begin 2026-01-30 --end 2026-02-01 --dry-run",
    ):
        result = ratekit(*words.split())
        assert (result.code, result.out) == (2, "")
        assert result.err == (
            "ratekit: frames before 2026-01-31T00:00:00Z were purged; nothing was changed: choose "
            "that time or a later one\n"
        )
