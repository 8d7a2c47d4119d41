"""ratekit scope: list, show, deactivate, activate, reset."""

from __future__ import annotations

import csv
import datetime

import pytest

from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.scope import Scope
from ratekit.interfaces import RatedBatch, Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell, Terminal


def test_list_shows_until_when_each_scope_has_been_rated(ratekit: Shell, usage: None) -> None:
    # At 36:30 the period that ends at 35:00 is the newest that is due.
    assert ratekit("scope", "list", "-f", "json").json() == [
        {
            "Scope": scope,
            "Name": f"name of {scope}",
            "Rated until": "2026-03-01T02:00:00Z",
            "Lag": 33 * 3600,
            "State": "active",
        }
        for scope in ("a1", "b2")
    ]
    assert "| 1 d 9 h |" in ratekit("scope", "list").out


def test_lag_is_zero_when_all_due_periods_are_rated(ratekit: Shell, usage: None) -> None:
    ratekit.now = given.hour(3.5)
    assert [row["Lag"] for row in ratekit("scope", "list", "-f", "json").json()] == [0, 0]
    ratekit.now = given.hour(0)
    assert "| 0   |" in ratekit("scope", "list").out


def test_a_failing_scope_shows_its_error_and_when_it_is_retried(
    ratekit: Shell, storage: Storage
) -> None:
    state = given.list_scopes(storage, "a1")
    storage.ledger.postpone(state, "Gnocchi said \x1b[31mno", given.hour(37))
    expected = "failing (1): Gnocchi said {}no, retry at 2026-03-02T13:00:00Z"
    assert expected.format("\x1b[31m") == ratekit("scope", "list", "-f", "json").json()[0]["State"]
    # A terminal would execute the control characters.
    assert expected.format("\\x1b[31m") in ratekit("scope", "list").out


def test_inactive_scopes_are_shown_with_all(ratekit: Shell, storage: Storage) -> None:
    given.list_scopes(storage, "gone", now=given.hour(-0.5))
    given.list_scopes(storage, "here", now=given.hour(1))
    assert [row["Scope"] for row in ratekit("scope", "list", "-f", "json").json()] == ["here"]
    rows = list(csv.DictReader(ratekit("scope", "list", "--all", "-f", "csv").out.splitlines()))
    assert [(row["Scope"], row["State"], row["Lag"]) for row in rows] == [
        ("gone", "inactive", ""),
        ("here", "active", "126000"),
    ]


# show ---------------------------------------------------------------------------------------


def test_show_has_all_fields_of_a_scope(ratekit: Shell, storage: Storage, usage: None) -> None:
    state = given.list_scopes(storage, "a1", now=given.hour(2.5))
    storage.ledger.postpone(state, "Gnocchi failed", given.hour(37.5))
    assert ratekit("scope", "show", "a1", "-f", "json").json() == {
        "Scope": "a1",
        "Name": "name of a1",
        "State": "failing",
        "Rated until": "2026-03-01T02:00:00Z",
        "Lag": 33 * 3600,
        "Failures": 1,
        "Last error": "Gnocchi failed",
        "Retry at": "2026-03-02T13:30:00Z",
        "Deactivated since": None,
        "Last seen": "2026-03-01T02:30:00Z",
        "Fetcher": "static",
        "Collector": "gnocchi",
        "Frames this month": 3,
        "Price this month": "0.3000000000000000000000000001",
        "Last periods": build_periods(),
        "Gaps": [],
        "Exclusions": [],
    }


def build_periods() -> list[dict[str, object]]:
    """Return the periods of a1 as machines see them: 16 before its first, 6 past its last."""
    unknown = [("before", 0)] * 16
    waiting = [("not rated yet", 0)] * 6
    return [
        {
            "metric": metric,
            "periods": [
                {"begin": f"{given.hour(number):%Y-%m-%dT%H:%M:%SZ}", "state": kind, "points": many}
                for number, (kind, many) in enumerate([*unknown, *rated, *waiting], start=-16)
            ],
        }
        for metric, rated in (
            ("instance", [("points", 1)] * 2),
            ("volume", [("points", 1), ("not configured", 0)]),
        )
    ]


def test_the_last_periods_are_a_line_a_metric_and_a_column_a_period(
    ratekit: Shell, storage: Storage
) -> None:
    ratekit.now = given.hour(6.5)
    for number, count in enumerate((12, 9, 0, 1)):
        (state,) = given.list_scopes(storage, "a1", now=given.hour(6))
        series = [
            given.build_series(
                "a1", [("1", "0")], begin=given.hour(number), labels={"id": str(id_)}
            )
            for id_ in range(count)
        ]
        metrics = ("instance",) if number < 2 else ("cpu", "instance")
        window = given.window(1, given.hour(number))
        storage.ledger.commit(given.batch([state], *series, periods=window, metrics=metrics))
    output = ratekit("scope", "show", "a1", "--periods", "5").out
    table = [line.split("|")[2].rstrip() for line in output.splitlines() if line.startswith("|")]
    assert table[-6:-2] == [
        " 2026-03-01T00:00:00Z to 2026-03-01T05:00:00Z, 1 h each",
        " cpu        x x 0 0 .",
        " instance  12 9 0 1 .",
        " 0 silent, . not rated yet, x not in metrics.yml at that time",
    ]


def test_the_last_periods_wrap_below_the_time_where_each_line_starts(
    ratekit: Shell, storage: Storage
) -> None:
    ratekit.now = given.hour(30.5)
    ratekit.width = 80
    (state,) = given.list_scopes(storage, "a1", now=given.hour(30))
    prices = [("1", "0")] * 28
    series = given.build_series("a1", prices, metric="volume.size")
    batch = given.batch([state], series, periods=given.window(28), metrics=("cpu", "volume.size"))
    storage.ledger.commit(batch)
    output = ratekit("scope", "show", "a1", "--periods", "28").out
    assert max(map(len, output.splitlines())) <= 80
    table = [line.split("|")[2].rstrip() for line in output.splitlines() if line.startswith("|")]
    start = table.index(" 2026-03-01T01:00:00Z to 2026-03-02T05:00:00Z, 1 h each")
    assert table[start + 1 : -2] == [
        " from 2026-03-01T01:00:00Z",
        " cpu          0 0 0 0 0 0 0 0 0 0 0 0",
        " volume.size  1 1 1 1 1 1 1 1 1 1 1 1",
        " from 2026-03-01T13:00:00Z",
        " cpu          0 0 0 0 0 0 0 0 0 0 0 0",
        " volume.size  1 1 1 1 1 1 1 1 1 1 1 1",
        " from 2026-03-02T01:00:00Z",
        " cpu          0 0 0 .",
        " volume.size  1 1 1 .",
        " 0 silent, . not rated yet",
    ]


def test_gaps_and_exclusions_of_a_scope_are_shown(ratekit: Shell, storage: Storage) -> None:
    ratekit.now = given.hour(6.5)
    exclusion = Exclusion("a1", "instance", "r1", "invalid value", "correct the policy")
    (state,) = given.list_scopes(storage, "a1", now=given.hour(1.5))
    batch = given.batch([state], periods=given.window(2), exclusions=[exclusion])
    storage.ledger.commit(batch)
    given.list_scopes(storage, now=given.hour(2.5))
    given.list_scopes(storage, "a1", now=given.hour(5.5), resume=given.hour(5))
    fields = ratekit("scope", "show", "a1", "-f", "json").json()
    assert fields["Gaps"] == [{"begin": "2026-03-01T02:00:00Z", "end": "2026-03-01T05:00:00Z"}]
    assert fields["Exclusions"] == [
        {
            "resource": "r1",
            "metric": "instance",
            "begin": "2026-03-01T00:00:00Z",
            "end": "2026-03-01T02:00:00Z",
            "reason": "invalid value",
            "remedy": "correct the policy",
        }
    ]
    table = ratekit("scope", "show", "a1").out
    assert "2026-03-01T02:00:00Z to 2026-03-01T05:00:00Z" in table
    assert (
        "instance: resource r1, 2026-03-01T00:00:00Z to 2026-03-01T02:00:00Z: invalid value; "
        "correct the policy" in table
    )


@pytest.mark.parametrize("number", ["0", "-1", "x", "10001", "1.5", "9" * 5000])
def test_a_number_of_periods_out_of_range_is_refused(
    number: str, ratekit: Shell, usage: None
) -> None:
    answer = ratekit("scope", "show", "a1", f"--periods={number}")
    assert (answer.code, answer.out) == (2, "")
    assert "expected a whole number from 1 to 10000" in answer.err


def test_a_scope_without_rated_periods_has_no_lines_of_periods(
    ratekit: Shell, storage: Storage
) -> None:
    given.list_scopes(storage, "a1")
    assert ratekit("scope", "show", "a1", "-f", "json").json()["Last periods"] == []
    assert "no information about these periods" in ratekit("scope", "show", "a1").out


def test_a_scope_is_found_by_its_name_too(ratekit: Shell, usage: None) -> None:
    answer = ratekit("scope", "show", "name of b2", "-c", "Scope", "-c", "retry at", "-f", "value")
    assert (answer.code, answer.out) == (0, "b2\n\n")


def test_this_month_is_the_month_of_utc(ratekit: Shell, usage: None) -> None:
    ratekit.now = given.START + datetime.timedelta(days=31)
    fields = ratekit("scope", "show", "a1", "-f", "json").json()
    assert (fields["Frames this month"], fields["Price this month"]) == (0, "0")


@pytest.mark.parametrize("command", ["show", "activate", "deactivate", "reset"])
def test_an_unknown_scope_is_one_line_with_the_nearest_and_2(
    command: str, ratekit: Shell, usage: None
) -> None:
    to = ["--to", "2026-03-01"] if command == "reset" else []
    answer = ratekit("scope", command, "name of a2", *to)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "ratekit: no scope 'name of a2' (did you mean 'name of b2'?); "
        "see ratekit scope list --all\n"
    )


def test_several_scopes_with_the_same_name_are_listed_by_id(
    ratekit: Shell, storage: Storage
) -> None:
    twins = [Scope("a1", "twin"), Scope("b2", "twin"), Scope("twin", "c3")]
    storage.ledger.observe(twins[:2], given.START, given.START, given.START)
    answer = ratekit("scope", "deactivate", "twin")
    assert (answer.code, answer.err) == (2, "ratekit: 2 scopes are named 'twin': a1, b2\n")
    # An ID takes precedence over a name.
    storage.ledger.observe(twins, given.START, given.START, given.START)
    assert ratekit("scope", "show", "twin", "-f", "json").json()["Name"] == "c3"


def test_an_unknown_field_is_one_line_and_2(ratekit: Shell, usage: None) -> None:
    answer = ratekit("scope", "show", "a1", "-c", "Colour")
    assert answer.code == 2
    assert answer.err.startswith("ratekit: no column 'Colour'; columns: Scope, Name")


# deactivate, activate -----------------------------------------------------------------------


def test_a_deactivated_scope_is_listed_as_such_until_it_is_activated(
    ratekit: Shell, storage: Storage, usage: None
) -> None:
    answer = ratekit("scope", "deactivate", "a1")
    assert (answer.code, answer.out) == (0, "scope a1 (name of a1) is no longer rated\n")
    row = ratekit("scope", "list", "-f", "json").json()[0]
    assert (row["State"], row["Lag"]) == ("deactivated since 2026-03-02T12:30:00Z", None)
    fields = ratekit("scope", "show", "a1", "-f", "json").json()
    assert fields["State"] == "deactivated"
    assert fields["Deactivated since"] == "2026-03-02T12:30:00Z"
    assert ratekit("scope", "deactivate", "name of a1").out == (
        "nothing to do: scope a1 (name of a1) is already deactivated\n"
    )
    answer = ratekit("scope", "activate", "a1")
    assert (answer.code, answer.out, answer.err) == (
        0,
        "scope a1 (name of a1) is rated again from 2026-03-01T02:00:00Z\n",
        "",
    )
    assert ratekit("scope", "activate", "a1").out == (
        "nothing to do: scope a1 (name of a1) is not deactivated\n"
    )
    assert ratekit("scope", "list", "-f", "json").json()[0]["State"] == "active"


def test_a_scope_that_is_inactive_and_deactivated_is_listed(
    ratekit: Shell, storage: Storage
) -> None:
    given.list_scopes(storage, "gone", now=given.hour(-0.5))
    storage.ledger.observe([], given.hour(5), given.START, given.START)
    assert ratekit("scope", "list", "-f", "json").json() == []
    ratekit("scope", "deactivate", "gone")
    assert [row["Scope"] for row in ratekit("scope", "list", "-f", "json").json()] == ["gone"]
    answer = ratekit("scope", "activate", "gone")
    assert answer.code == 0
    assert answer.err == (
        "ratekit: the fetcher does not return this scope; rating resumes when it does\n"
    )


def test_a_scope_may_resume_later(ratekit: Shell, usage: None) -> None:
    ratekit("scope", "deactivate", "a1")
    answer = ratekit("scope", "activate", "a1", "--from", "2026-03-02T13:00+01:00")
    assert answer.out == "scope a1 (name of a1) is rated again from 2026-03-02T12:00:00Z\n"
    row = ratekit("scope", "show", "a1", "-f", "json").json()
    assert (row["Rated until"], row["State"]) == ("2026-03-02T12:00:00Z", "active")


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("soon", "--from: expected a date or time"),
        ("0001-01-01T00:00+05:00", "--from: '0001-01-01T00:00+05:00' is too far in the past"),
        ("2026-03-01T01:00", "rated until 2026-03-01T02:00:00Z"),
        ("2026-03-01T01:00", "see ratekit scope reset"),
        ("2027-03-02", "2027-03-02T00:00:00Z is in the future: expected 2026-03-02T13:00:00Z or"),
        ("2026-03-02T12:30", "nearest start at 2026-03-02T12:00:00Z and 2026-03-02T13:00"),
    ],
)
def test_a_time_from_which_a_scope_cannot_resume_is_one_line_and_2(
    time: str, message: str, ratekit: Shell, usage: None
) -> None:
    ratekit("scope", "deactivate", "a1")
    answer = ratekit("scope", "activate", "a1", "--from", time)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert message in answer.err
    assert ratekit("scope", "show", "a1", "-f", "json").json()["State"] == "deactivated"


def test_an_active_scope_cannot_be_activated_at_a_later_time(ratekit: Shell, usage: None) -> None:
    answer = ratekit("scope", "activate", "a1", "--from", "2026-03-02")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "scope a1 is not deactivated" in answer.err


# reset --------------------------------------------------------------------------------------

RESET = ("scope", "reset", "a1", "--to", "2026-03-01T01:00")
QUESTION = (
    "scope a1 (name of a1): 1 frame from 2026-03-01T01:00:00Z to 2026-03-01T02:00:00Z, price 0.2\n"
)


def test_on_a_terminal_a_reset_asks(ratekit: Shell, storage: Storage, usage: None) -> None:
    before = given.read_frames(storage)
    for refusal in ("n\n", "\n", ""):
        answer = ratekit(*RESET, typed=refusal)
        assert answer.code == 1
        assert answer.out == (
            f"{QUESTION}Remove these frames and rate them again? [y/N] nothing was changed\n"
        )
    assert given.read_frames(storage) == before
    answer = ratekit(*RESET, typed="y\n")
    assert answer.code == 0
    assert answer.out.endswith(
        "done: the scope is rated again from 2026-03-01T01:00:00Z, in the next cycle of the "
        "processor\n"
    )
    assert len(given.read_frames(storage)) == len(before) - 1
    assert ratekit("scope", "list", "-f", "json").json()[0]["Rated until"] == "2026-03-01T01:00:00Z"


def test_without_a_terminal_a_reset_needs_yes(
    ratekit: Shell, storage: Storage, usage: None
) -> None:
    before = given.read_frames(storage)
    answer = ratekit(*RESET)
    assert answer.code == 2
    assert answer.err == (
        "ratekit: nothing was changed: confirmation needs a terminal; use --yes to confirm\n"
    )
    assert given.read_frames(storage) == before
    assert ratekit(*RESET, "--yes").code == 0
    assert len(given.read_frames(storage)) == len(before) - 1


def test_a_reset_to_before_the_first_period_of_a_scope_says_so(ratekit: Shell, usage: None) -> None:
    answer = ratekit("scope", "reset", "a1", "--to", "2026-02-27", "--yes")
    assert answer.code == 0
    assert (
        "the first rated period starts at 2026-03-01T00:00:00Z: earlier periods will be charged "
        "for the first time\n" in answer.out
    )


def test_a_reset_to_where_a_scope_is_does_nothing(ratekit: Shell, usage: None) -> None:
    assert ratekit(*RESET, "--yes").code == 0
    answer = ratekit(*RESET)
    assert (answer.code, answer.out) == (
        0,
        "nothing to do: scope a1 (name of a1) is rated until then\n",
    )


class SlowTerminal(Terminal):
    """A terminal whose user answers after a processor has rated an hour."""

    def __init__(self, storage: Storage) -> None:
        super().__init__("y\n")
        self._storage = storage

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """Rate an hour, then answer."""
        (state,) = given.list_scopes(self._storage, "a1", now=given.hour(3))
        batch = given.batch([state], periods=given.window(1, state.rated_until))
        assert not self._storage.ledger.commit(batch).lost_scopes
        return super().readline()


def test_a_reset_fails_if_a_period_is_rated_before_the_answer(
    ratekit: Shell, storage: Storage, usage: None
) -> None:
    before = given.read_frames(storage)
    answer = ratekit(*RESET, stdin=SlowTerminal(storage))
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "scope a1" in answer.err
    assert "rated until 2026-03-01T03:00:00Z" in answer.err
    assert given.read_frames(storage) == before


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("someday", "--to: expected a date or time"),
        ("2026-03-01T01:20", "nearest start at 2026-03-01T01:00:00Z and 2026-03-01T02:00"),
        ("2026-03-01T03:00", "is rated only until 2026-03-01T02:00:00Z"),
    ],
)
def test_a_time_to_which_a_scope_cannot_be_reset_is_one_line_and_2(
    time: str, message: str, ratekit: Shell, storage: Storage, usage: None
) -> None:
    before = given.read_frames(storage)
    answer = ratekit("scope", "reset", "a1", "--yes", "--to", time)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert message in answer.err
    assert given.read_frames(storage) == before


def test_a_reset_needs_a_time(ratekit: Shell) -> None:
    answer = ratekit("scope", "reset", "a1")
    assert (answer.code, answer.err.count("\n")) == (2, 2)


def rate(storage: Storage, minutes: int, count: int) -> None:
    """Rate a scope over periods of another length."""
    (state,) = given.list_scopes(storage, "a1", now=given.hour(9))
    step = datetime.timedelta(minutes=minutes)
    window = Window(state.rated_until, step, count)
    series = given.build_series("a1", [("1", "1")], begin=window.begins()[-1])
    assert (
        storage.ledger.commit(RatedBatch(window, [state], [series], 0, ("instance",))).frames == 1
    )


def test_a_reset_aligns_a_scope_with_a_new_period_length(ratekit: Shell, storage: Storage) -> None:
    rate(storage, minutes=30, count=5)
    assert ratekit("scope", "reset", "a1", "--to", "2026-03-01T02:00", "--yes").code == 0
    assert given.list_scopes(storage, "a1")[0].rated_until == given.hour(2)
    assert given.read_frames(storage) == []


def test_a_reset_to_inside_a_period_of_the_previous_length_is_refused(
    ratekit: Shell, storage: Storage
) -> None:
    rate(storage, minutes=90, count=3)
    # The frame of 03:00 to 04:30 would stay, and its second half would be charged twice.
    answer = ratekit("scope", "reset", "a1", "--to", "2026-03-01T04:00", "--yes")
    assert (answer.code, answer.err) == (
        2,
        "ratekit: 2026-03-01T04:00:00Z falls inside a period of the previous length (1 h 30 min); "
        "choose a boundary of both the old and the new period, e.g. 2026-03-01T03:00:00Z\n",
    )
    assert len(given.read_frames(storage)) == 1
    assert ratekit("scope", "reset", "a1", "--to", "2026-03-01T03:00", "--yes").code == 0
    assert given.read_frames(storage) == []


def test_a_deactivated_scope_that_is_reset_stays_deactivated(ratekit: Shell, usage: None) -> None:
    ratekit("scope", "deactivate", "a1")
    answer = ratekit(*RESET, "--yes")
    assert answer.code == 0
    assert answer.out.endswith("done: the scope is rated again from 2026-03-01T01:00:00Z\n")
    assert answer.err == (
        "ratekit: the scope is deactivated; it is rated again once it is activated\n"
    )


def test_a_reset_names_the_open_tasks_that_it_affects(
    ratekit: Shell, storage: Storage, usage: None
) -> None:
    for scope, begin, end in (("a1", "00", "01"), ("a1", "01", "02"), ("b2", "00", "02")):
        times = ("--begin", f"2026-03-01T{begin}:00", "--end", f"2026-03-01T{end}:00")
        queued = ratekit("reprocess", "--scope", scope, *times, "--reason", "x", "--yes")
        assert queued.code == 0
    _, second, _ = (task.id for task, _ in storage.tasks.tasks())
    answer = ratekit(*RESET, typed="n\n")
    assert answer.out == (
        f"{QUESTION}task {second} is open for 2026-03-01T01:00:00Z to 2026-03-01T02:00:00Z: its "
        "periods from 2026-03-01T01:00:00Z will be rated instead of reprocessed\n"
        "Remove these frames and rate them again? [y/N] nothing was changed\n"
    )
