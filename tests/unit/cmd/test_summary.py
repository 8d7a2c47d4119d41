"""ratekit summary."""

from __future__ import annotations

import csv
import datetime
from decimal import Decimal

import pytest
import yaml

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

TINY = "0.0000000000000000000000000001"
HUGE = "12345678901234567890.5"


def test_it_adds_up_by_scope_and_metric_exactly(ratekit: Shell, usage: None) -> None:
    rows = ratekit("summary", "-f", "json").json()
    assert rows == [
        {
            "Scope": scope,
            "Name": f"name of {scope}",
            "Metric": metric,
            "Frames": frames,
            "Quantity": quantity,
            "Unit": unit,
            "Price": price,
        }
        for scope, metric, frames, quantity, unit, price in [
            ("a1", "instance", 2, "2", "instance", "0.3"),
            ("a1", "volume", 1, "40", "GiB", TINY),
            ("b2", "instance", 1, "0.5", "instance", HUGE),
        ]
    ]


def test_a_table_ends_with_the_total_rounded_and_exact(ratekit: Shell, usage: None) -> None:
    assert ratekit("summary").out.splitlines()[-2:] == [
        "Total: price 12345678901234567890.80, 4 frames, "
        "2026-03-01T00:00:00Z to 2026-03-02T12:30:00Z",
        "Rounded to 2 places; the exact total is "
        "12345678901234567890.8000000000000000000000000001.",
    ]


@pytest.mark.parametrize("form", ["csv", "yaml", "value", "json"])
def test_no_other_format_has_a_row_that_would_be_added_twice(
    form: str, ratekit: Shell, usage: None
) -> None:
    assert "Total" not in ratekit("summary", "-f", form).out


def test_amounts_survive_csv_and_yaml(ratekit: Shell, usage: None) -> None:
    rows = list(csv.DictReader(ratekit("summary", "-f", "csv").out.splitlines()))
    assert [row["Price"] for row in rows] == ["0.3", TINY, HUGE]
    rows = list(
        csv.DictReader(ratekit("summary", "--groupby", "image", "-f", "csv").out.splitlines())
    )
    assert (rows[0]["image"], rows[0]["Unit"]) == ("", "")
    parsed = yaml.safe_load(ratekit("summary", "-f", "yaml").out)
    assert [row["Price"] for row in parsed] == ["0.3", TINY, HUGE]


def test_prices_are_rounded_half_even_only_when_asked(ratekit: Shell, storage: Storage) -> None:
    prices = {"a": "0.125", "b": "0.125", "c": "0.135", "d": "-0.001", "e": "7"}
    series = [
        given.build_series("a1", [("1", price)], labels={"id": id_})
        for id_, price in prices.items()
    ]
    storage.ledger.commit(given.batch(given.list_scopes(storage, "a1"), *series))
    rounded = ("summary", "--groupby", "id", "--decimals", "2")
    assert ratekit(*rounded, "-f", "value", "-c", "Price").out.split() == [
        "0.12",
        "0.12",
        "0.14",
        "0.00",
        "7.00",
    ]


def test_a_total_is_added_up_before_it_is_rounded(ratekit: Shell, storage: Storage) -> None:
    series = [given.build_series("a1", [("1", "0.004")], labels={"id": id_}) for id_ in "abc"]
    storage.ledger.commit(given.batch(given.list_scopes(storage, "a1"), *series))
    answer = ratekit("summary", "--groupby", "id", "--decimals", "2")
    assert "Total: price 0.01, 3 frames" in answer.out


def test_sorting_by_price_goes_by_number(ratekit: Shell, usage: None) -> None:
    answer = ratekit("summary", "-f", "value", "-c", "Price", "--sort-column", "Price")
    assert answer.out.splitlines() == [TINY, "0.3", HUGE]


def test_a_group_of_several_metrics_has_no_quantity(ratekit: Shell, usage: None) -> None:
    answer = ratekit("summary", "--groupby", "scope", "-f", "json", "--sort-column", "Quantity")
    assert [(row["Quantity"], row["Unit"]) for row in answer.json()] == [
        ("0.5", "instance"),
        (None, None),
    ]
    assert "None" not in ratekit("summary", "--groupby", "scope").out


def test_it_groups_by_time_in_a_zone_and_by_label(ratekit: Shell, usage: None) -> None:
    def column(key: str, *options: str) -> list[str]:
        begin = ("--begin", "2026-02-01", "-f", "json")
        answer = ratekit("summary", "--groupby", key, *begin, *options).json()
        return [next(iter(row.values())) for row in answer]

    assert column("hour") == ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"]
    assert column("day", "--timezone", "America/New_York") == ["2026-02-28"]
    assert column("month", "--timezone", "America/New_York") == ["2026-02"]
    assert column("week", "--timezone", "America/New_York") == ["2026-02-23"]
    assert column("year", "--timezone", "America/New_York") == ["2026"]
    assert column("hour", "--timezone", "Europe/Berlin")[0] == "2026-03-01T01:00:00+01:00"
    assert column("flavor_name,metric") == [None, "big", "m1.small"]


def test_a_label_that_none_of_the_frames_has_is_a_warning(ratekit: Shell, usage: None) -> None:
    answer = ratekit("summary", "--groupby", "image", "--metric", "volume", "-f", "json")
    assert answer.code == 0
    assert answer.err == "ratekit: warning: none of these frames has a label 'image'\n"


def test_unknown_metrics_and_labels_are_refused_with_the_nearest(
    ratekit: Shell, usage: None
) -> None:
    arguments = ("--groupby", "Metric,flavour_name,zebra", "--metric", "volumes", "--metric", "x")
    answer = ratekit("summary", *arguments)
    assert (answer.code, answer.out) == (2, "")
    keys = "is neither scope, metric, hour, day, week, month, year nor a label of any metric"
    assert answer.err.splitlines() == [
        "ratekit: --metric: no metric is called 'volumes' (did you mean 'volume'?)",
        "ratekit: --metric: no metric is called 'x'; known metrics: instance, volume",
        f"ratekit: --groupby: 'Metric' {keys} (did you mean 'metric'?)",
        f"ratekit: --groupby: 'flavour_name' {keys} (did you mean 'flavor_name'?)",
        f"ratekit: --groupby: 'zebra' {keys}",
    ]
    answer = ratekit("frame", "list", "--metric", "volumes")
    assert answer.code == 2
    assert answer.err.endswith("'volumes' (did you mean 'volume'?)\n")


def test_a_name_of_metrics_yml_or_of_a_frame_is_accepted(ratekit: Shell, usage: None) -> None:
    metrics = ratekit.config.with_name("metrics.yml")
    metrics.write_text("metrics: {disk: {alt_name: storage, metadata: [kind]}}")
    for arguments in (
        ("--metric", "storage", "--groupby", "kind"),
        ("--metric", "volume", "--groupby", "flavor_name"),
    ):
        assert ratekit("summary", *arguments).code == 0
    assert ratekit("summary", "--metric", "disk").code == 2


def test_without_metrics_and_frames_no_name_is_refused(ratekit: Shell) -> None:
    assert ratekit("summary", "--metric", "x", "--groupby", "y").code == 0


def test_labels_named_like_columns_stay_apart(ratekit: Shell, storage: Storage) -> None:
    series = given.build_series("a1", [("1", "2")], metadata={"price": "x", "id": "y"})
    storage.ledger.commit(given.batch(given.list_scopes(storage, "a1"), series))
    row = ratekit("summary", "--groupby", "price,id,price", "-f", "json").json()[0]
    assert (row["price (label)"], row["id"], row["Price"]) == ("x", "y", "2")


def test_scopes_are_chosen_by_id_or_name_and_metrics_by_name(ratekit: Shell, usage: None) -> None:
    rows = ratekit("summary", "--scope", "name of a1", "--metric", "volume", "-f", "json").json()
    assert [(row["Scope"], row["Metric"]) for row in rows] == [("a1", "volume")]
    answer = ratekit("summary", "--scope", "a1", "--scope", "b2", "-f", "json")
    assert len(answer.json()) == 3


def test_naive_times_are_meant_in_the_zone(ratekit: Shell, usage: None) -> None:
    berlin = ("--timezone", "Europe/Berlin", "-f", "json")
    for begin, frames in (
        ("2026-03-01T01:00", 4),
        ("2026-03-01T02:00", 1),
        ("2026-03-01T02:00Z", 0),
        ("2026-03-01T01:00:00-01:00", 0),
    ):
        rows = ratekit("summary", "--begin", begin, "--end", "2026-04-01", *berlin).json()
        assert sum(row["Frames"] for row in rows) == frames, begin


def test_it_begins_with_this_month_in_the_zone(ratekit: Shell, usage: None) -> None:
    ratekit.now = datetime.datetime(2026, 3, 31, 22, 30, tzinfo=datetime.UTC)
    assert "4 frames, 2026-03-01T00:00:00Z" in ratekit("summary").out
    answer = ratekit("summary", "--timezone", "Europe/Berlin")
    assert "price 0.00, 0 frames, 2026-04-01T00:00:00+02:00" in answer.out


def test_nothing_costs_0(ratekit: Shell, storage: Storage) -> None:
    series = given.build_series("a1", [("0", "0E-28")])
    storage.ledger.commit(given.batch(given.list_scopes(storage, "a1"), series))
    assert ratekit("summary", "-f", "value", "-c", "Price").out == "0\n"
    assert Decimal(ratekit("summary", "--decimals", "3", "-f", "value", "-c", "Price").out) == 0


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--timezone", "Europe/Belrin"], "did you mean 'Europe/Berlin'?"),
        (["--timezone", "Europe"], "--timezone"),
        (["--timezone", "../etc/passwd"], "--timezone"),
        (["--begin", "someday"], "--begin: expected a date or time such as 2026-01-31"),
        (["--end", "2026-02-30"], "--end: expected a date"),
        (["--begin", "0001-01-01T00:00+05:00"], "+05:00' is too far in the past"),
        (["--begin", "2026-03-02", "--end", "2026-03-02"], "is not before --end"),
        (["--end", "2026-02-01"], "(the default) is not before --end"),
        (["--scope", "c3"], "no scope 'c3'; see ratekit scope list --all"),
    ],
)
def test_a_wrong_selection_is_one_line_and_2(
    options: list[str], hint: str, ratekit: Shell, usage: None
) -> None:
    answer = ratekit("summary", *options)
    assert answer.code == 2
    assert hint in answer.err
    assert (answer.out, answer.err.count("\n")) == ("", 1)
