"""ratekit summary as people read it: names, rounded prices, subtotals, 80 columns."""

from __future__ import annotations

import csv
import pathlib
import re

import pytest

from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell, configure

ACME = "5f1c2a3b4d5e6f708192a3b4c5d6e7f8"
BETA = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


@pytest.fixture(autouse=True)
def narrow(ratekit: Shell) -> None:
    """A terminal of the usual width."""
    ratekit.width = 80


def rate(storage: Storage, *series: tuple[str, str, str, str, str], **names: str) -> None:
    """Store usage as (scope, metric, unit, quantity, price) of scopes with these names."""
    scopes = [Scope(ACME, names.get("acme", "acme")), Scope(BETA, names.get("beta", "beta"))]
    observation = storage.ledger.observe(scopes, given.START, given.START, given.START)
    batch = given.batch(
        observation.states,
        *(
            given.build_series(scope, [(quantity, price)], metric=metric, unit=unit)
            for scope, metric, unit, quantity, price in series
        ),
    )
    storage.ledger.commit(batch)


@pytest.fixture
def bill(storage: Storage) -> None:
    """Two projects; three metrics; prices of more than two places."""
    rate(
        storage,
        (BETA, "instance", "instance", "12.000000000000000001", "0.2449"),
        (ACME, "instance", "instance", "720", "1014.4"),
        (ACME, "volume.size", "GiB", "28800", "8.644"),
        (ACME, "image.size", "MiB", "0.004123456", "0.0002"),
    )


def test_a_bill_has_names_rounded_prices_subtotals_and_a_total(ratekit: Shell, bill: None) -> None:
    configure(ratekit.config, "rating", "currency = EUR")
    assert (
        ratekit("summary").out
        == """\
+-------+-------------+--------+-------------+----------+-------------+
| Scope | Metric      | Frames |    Quantity | Unit     | Price (EUR) |
+-------+-------------+--------+-------------+----------+-------------+
| acme  | image.size  |      1 |     0.00412 | MiB      |        0.00 |
|       | instance    |      1 |   720       | instance |     1014.40 |
|       | volume.size |      1 | 28800       | GiB      |        8.64 |
|       | subtotal    |      3 |             |          |     1023.04 |
| beta  | instance    |      1 |    12       | instance |        0.24 |
+-------+-------------+--------+-------------+----------+-------------+
Total: price 1023.29 EUR, 4 frames, 2026-03-01T00:00:00Z to 2026-03-02T12:30:00Z
Rounded to 2 places; the exact total is 1023.2891.
Each price is rounded; sums of printed prices differ by up to 0.01.
"""
    )


def test_nothing_is_said_of_rounding_where_nothing_was_rounded(
    ratekit: Shell, storage: Storage
) -> None:
    rate(storage, (ACME, "instance", "instance", "1", "0.25"))
    lines = ratekit("summary").out.splitlines()
    assert lines[-1].startswith("Total: price 0.25, 1 frame")


def test_rows_that_add_up_to_something_else_than_the_total_are_said_to(
    ratekit: Shell, storage: Storage
) -> None:
    rate(storage, *((ACME, metric, "x", "1", "0.004") for metric in "abc"))
    out = ratekit("summary").out
    assert re.findall(r"([\d.]+) \|$", out, re.MULTILINE) == ["0.00", "0.00", "0.00", "0.01"]
    assert "sums of printed prices differ by up to 0.01." in out


def test_the_configuration_decides_how_tables_round(ratekit: Shell, bill: None) -> None:
    configure(ratekit.config, "rating", "decimals = 4")
    out = ratekit("summary").out
    assert "|    0.2449 |" in out
    assert "Total: price 1023.2891, 4 frames" in out
    assert "Rounded" not in out
    assert "Total: price 1023.3, 4 frames" in ratekit("summary", "--decimals", "1").out


@pytest.mark.parametrize("form", ["json", "yaml", "csv", "value"])
def test_programs_get_every_digit_and_the_id(form: str, ratekit: Shell, bill: None) -> None:
    configure(ratekit.config, "rating", "currency = EUR")
    out = ratekit("summary", "-f", form).out
    assert "0.0002" in out
    assert ACME in out
    assert "EUR" not in out
    assert "subtotal" not in out


def test_ids_in_place_of_names(ratekit: Shell, bill: None) -> None:
    out = ratekit("summary", "--ids").out
    assert f"| {ACME} |" in out
    assert "acme" not in out


def test_names_that_several_scopes_have_are_told_apart(ratekit: Shell, storage: Storage) -> None:
    rate(
        storage,
        (ACME, "instance", "x", "1", "1"),
        (BETA, "instance", "x", "1", "2"),
        acme="demo",
        beta="demo",
    )
    lines = ratekit("summary").out.splitlines()
    assert "| demo (0a1b2c3d…) | instance |" in lines[3]
    assert "| demo (5f1c2a3b…) | instance |" in lines[4]


def test_a_scope_without_a_name_is_its_id(ratekit: Shell, storage: Storage) -> None:
    rate(storage, (ACME, "instance", "x", "1", "1"), acme="")
    assert "| 5f1c2a3b… | instance |" in ratekit("summary").out
    assert f"| {ACME} | instance |" in ratekit("summary", "--ids").out
    ratekit.width = 100
    assert f"| {ACME} | instance |" in ratekit("summary").out


def test_sorting_by_a_column_gives_plain_rows(ratekit: Shell, bill: None) -> None:
    lines = ratekit("summary", "--sort-column", "Price").out.splitlines()
    assert [line.split("|")[2].strip() for line in lines[3:7]] == ["acme", "beta", "acme", "acme"]
    assert "subtotal" not in "".join(lines)


def test_a_currency_is_text_of_a_few_characters(ratekit: Shell, bill: None) -> None:
    configure(ratekit.config, "rating", "currency = \x1b[31mEUR-of-a-long-name")
    answer = ratekit("summary")
    assert (answer.code, answer.out) == (2, "")
    assert "[rating] currency" in answer.err


# Pivot ------------------------------------------------------------------------------------------


@pytest.fixture
def three_days(storage: Storage) -> None:
    """Usage on 1 and 3 March."""
    states = given.list_scopes(storage, "a1", "b2")
    prices = [("1", "0.105")] * 24 + [("0", "0")] * 24 + [("1", "1")]
    series = given.build_series("a1", prices)
    other = given.build_series("b2", [("1", "2")], metric="volume", unit="GiB")
    storage.ledger.commit(given.batch(states, series, other, periods=given.window(49)))


def test_a_column_a_day(ratekit: Shell, three_days: None) -> None:
    ratekit.now = given.hour(60)
    assert (
        ratekit("summary", "--pivot", "day").out
        == """\
+------------+----------+-------+-------+-------+-------+
| Scope      | Metric   | 03-01 | 03-02 | 03-03 | Total |
+------------+----------+-------+-------+-------+-------+
| name of a1 | instance |  2.52 |  0.00 |  1.00 |  3.52 |
| name of b2 | volume   |  2.00 |       |       |  2.00 |
| total      |          |  4.52 |  0.00 |  1.00 |  5.52 |
+------------+----------+-------+-------+-------+-------+
Total: price 5.52, 50 frames, 2026-03-01T00:00:00Z to 2026-03-03T12:00:00Z
"""
    )


def test_a_month_of_columns_is_folded_to_the_width(ratekit: Shell, three_days: None) -> None:
    out = ratekit("summary", "--pivot", "day", "--month", "2026-03").out
    assert max(map(len, out.splitlines())) <= 80
    days = re.findall(r"\b03-\d\d\b", out)
    assert days == [f"03-{day:02}" for day in range(1, 32)]
    assert out.count("| name of a1 | instance |") == out.count("| Scope ") > 1


def test_a_sheet_has_a_column_a_day(ratekit: Shell, three_days: None) -> None:
    ratekit.now = given.hour(60)
    out = ratekit("summary", "--pivot", "day", "-f", "csv").out
    rows = list(csv.DictReader(out.splitlines()))
    assert rows == [
        {
            "Scope": "a1",
            "Name": "name of a1",
            "Metric": "instance",
            "2026-03-01": "2.52",
            "2026-03-02": "0",
            "2026-03-03": "1",
            "Total": "3.52",
        },
        {
            "Scope": "b2",
            "Name": "name of b2",
            "Metric": "volume",
            "2026-03-01": "2",
            "2026-03-02": "",
            "2026-03-03": "",
            "Total": "2",
        },
    ]


def test_months_and_hours_are_columns_too(ratekit: Shell, three_days: None) -> None:
    row = ratekit("summary", "--pivot", "month", "--begin", "2026-01", "-f", "json").json()[0]
    assert list(row) == ["Scope", "Name", "Metric", "2026-01", "2026-02", "2026-03", "Total"]
    hours = ("--pivot", "hour", "--end", "2026-03-01T02:00", "--timezone", "Europe/Berlin")
    row = ratekit("summary", *hours, "--begin", "2026-03-01", "-f", "json").json()[0]
    assert list(row)[3:] == [
        "2026-03-01T00:00:00+01:00",
        "2026-03-01T01:00:00+01:00",
        "Total",
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--pivot", "day", "--begin", "2026-01"], "the time range has more than 31 days"),
        (["--pivot", "hour", "--begin", "0001-01-02"], "the time range has more than 31 hours"),
        (["--pivot", "day", "--groupby", "scope,day"], "--pivot and --groupby both have a time"),
    ],
)
def test_a_pivot_that_no_page_holds_is_refused(
    options: list[str], expected: str, ratekit: Shell, three_days: None
) -> None:
    answer = ratekit("summary", *options)
    assert (answer.code, answer.out) == (2, "")
    assert expected in answer.err


# Comparison -------------------------------------------------------------------------------------


@pytest.fixture
def two_months(storage: Storage) -> None:
    """One project doubles, one is new, one metric falls."""
    states = given.list_scopes(storage, "a1", "b2")
    hours = [("1", "1")] * (31 * 24) + [("2", "2")] * (30 * 24)
    series = given.build_series("a1", hours)
    other = given.build_series("a1", [("1", "5.5")], metric="volume", unit="GiB")
    late = given.build_series("b2", [("1", "3.125")], begin=given.hour(31 * 24))
    window = given.window(61 * 24)
    storage.ledger.commit(given.batch(states, series, other, late, periods=window))


def test_two_months_side_by_side_with_the_largest_difference_first(
    ratekit: Shell, two_months: None
) -> None:
    ratekit.now = given.hour(62 * 24)
    assert (
        ratekit("summary", "--compare", "2026-03", "2026-04").out
        == """\
+------------+----------+---------+---------+------------+-------+
| Scope      | Metric   | 2026-03 | 2026-04 | Difference | Ratio |
+------------+----------+---------+---------+------------+-------+
| name of a1 | instance |  744.00 | 1440.00 |     696.00 |  1.94 |
| name of a1 | volume   |    5.50 |    0.00 |      -5.50 |  0.00 |
| name of b2 | instance |    0.00 |    3.12 |       3.12 |   new |
+------------+----------+---------+---------+------------+-------+
Total: price 749.50 in 2026-03, 1443.12 in 2026-04, difference 693.62, ratio
1.93
Rounded to 2 places; exactly 749.5, 1443.125 and 693.625.
"""
    )


def test_programs_get_both_months_with_quantities(ratekit: Shell, two_months: None) -> None:
    rows = ratekit("summary", "--compare", "2026-03", "2026-04", "-f", "json").json()
    assert rows[0] == {
        "Scope": "a1",
        "Name": "name of a1",
        "Metric": "instance",
        "Old": "744",
        "New": "1440",
        "Difference": "696",
        "Ratio": "1.935484",
        "Old quantity": "744",
        "New quantity": "1440",
        "Unit": "instance",
    }
    assert (rows[2]["Old"], rows[2]["Ratio"], rows[2]["Old quantity"]) == ("0", None, None)


def test_the_top_movers_and_how_many_more_there_are(ratekit: Shell, two_months: None) -> None:
    ratekit.now = given.hour(62 * 24)
    answer = ratekit("summary", "--compare", "2026-03", "2026-04", "--limit", "1")
    assert "696.00" in answer.out
    assert "volume" not in answer.out
    assert "difference 693.62" in answer.out
    assert answer.err == "ratekit: 2 more groups; --limit 0 lists all\n"


def test_a_month_that_has_not_ended_is_said_to_have_not(ratekit: Shell, two_months: None) -> None:
    ratekit.now = given.hour(40 * 24)
    answer = ratekit("summary", "--compare", "last-month", "this-month")
    assert "| 2026-03 | 2026-04 |" in answer.out
    assert answer.err == "ratekit: 2026-04 has not ended; it is compared as far as it is rated\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--compare", "2026-03", "now"], "--compare: expected a month such as 2026-01"),
        (["--compare", "2026-03", "2026-03"], "--compare: both months are 2026-03"),
        (["--compare", "2026-03", "2026-04", "--month", "2026-03"], "--compare names the months"),
        (["--compare", "2026-03", "2026-04", "--begin", "2026"], "--compare names the months"),
        (["--compare", "2026-03", "2026-04", "--groupby", "day"], "expected no day in --groupby"),
        (["--compare", "2026-03", "2026-04", "--pivot", "day"], "not allowed with argument"),
        (["--limit", "3"], "--limit needs --compare"),
    ],
)
def test_a_wrong_comparison_is_one_line_and_2(
    options: list[str], expected: str, ratekit: Shell, two_months: None
) -> None:
    answer = ratekit("summary", *options)
    assert (answer.code, answer.out) == (2, "")
    assert expected in answer.err


def test_it_also_compares_by_label(
    ratekit: Shell, two_months: None, tmp_path: pathlib.Path
) -> None:
    compare = ("summary", "--compare", "2026-03", "2026-04", "--groupby", "project_id")
    assert [row["project_id"] for row in ratekit(*compare, "-f", "json").json()] == ["a1", "b2"]
