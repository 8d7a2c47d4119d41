"""ratekit export focus."""

from __future__ import annotations

import datetime
import pathlib
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
import yaml
from pyarrow import parquet

from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract import given
from tests.contract.given import hour
from tests.focus_export import COSTS, Row, add_up, read
from tests.unit.cmd.conftest import Answer, Shell, configure

TINY = "0.0000000000000000000000000001"
#: What a tenant may call a server.
FORMULAS = ("=1+1", "+1-1", "-2+3", "@SUM(1)", "\uff1d1")
HOSTILE = 'a\nb,"c"\r\x1b]0;owned\x07\u202e\u00a0\ud800'
METRICS = {
    "cpu": {
        "alt_name": "instance",
        "unit": "instance",
        "description": "Running servers",
        "extra_args": {"resource_type": "instance"},
    },
    "volume.size": {
        "alt_name": "volume",
        "unit": "GiB",
        "focus": {"service": "Archive", "subcategory": "Backup Storage"},
        "extra_args": {"resource_type": "volume"},
    },
}


@pytest.fixture(autouse=True)
def settings(config: pathlib.Path) -> None:
    """A currency, and two metrics."""
    configure(config, "rating", "currency = EUR")
    write_metrics(config, METRICS)


@pytest.fixture
def target(tmp_path: pathlib.Path) -> pathlib.Path:
    """The file that is written."""
    return tmp_path / "bill.csv"


def write_metrics(config: pathlib.Path, metrics: object) -> None:
    (config.parent / "metrics.yml").write_text(yaml.safe_dump({"metrics": metrics}))


def rate_server(storage: Storage, name: str | None, **labels: str | None) -> None:
    """Rate one hour of a server."""
    series = given.build_series(
        "a1", [("1", "0.5")], labels={"id": "r1"}, metadata={"display_name": name, **labels}
    )
    storage.ledger.commit(given.batch(given.list_scopes(storage, "a1"), series))


def export(ratekit: Shell, target: pathlib.Path, *argv: str) -> tuple[list[Row], Answer]:
    answer = ratekit("export", "focus", "--begin", "2026-03", *argv, "-o", str(target))
    assert answer.code == 0, answer.err
    assert answer.out == ""
    return read(target.read_bytes().decode()), answer


def refusal(ratekit: Shell, *argv: str) -> str:
    """Return the only line of a command that refuses to work."""
    answer = ratekit("export", "focus", *argv)
    assert (answer.code, answer.out) == (2, "")
    [line] = answer.err.splitlines()
    return line


@pytest.mark.usefixtures("usage")
def test_it_costs_what_the_summary_does(ratekit: Shell, target: pathlib.Path) -> None:
    for granularity in ("hour", "day", "month"):
        rows, answer = export(ratekit, target, "--granularity", granularity)
        summary = ratekit(
            "summary", "--begin", "2026-03", "--groupby", "scope,metric", "-f", "json"
        ).json()
        for line in summary:
            charges = [
                row
                for row in rows
                if (row["SubAccountId"], row["SkuMeter"]) == (line["Scope"], line["Metric"])
            ]
            assert add_up(charges) == Fraction(line["Price"])
            quantity = sum(Fraction(row["ConsumedQuantity"]) for row in charges)
            assert quantity == Fraction(line["Quantity"])
            assert sum(int(row["x_FrameCount"]) for row in charges) == line["Frames"]
        total = "12345678901234567890.8000000000000000000000000001 EUR"
        assert answer.err.splitlines()[0] == f"ratekit: {len(rows)} charges of 4 frames, {total}"


@pytest.mark.usefixtures("usage")
def test_columns_come_from_labels_metrics_and_options(
    ratekit: Shell, target: pathlib.Path, config: pathlib.Path
) -> None:
    configure(
        config, "export", "provider = Example", "billing_account_id = 4711", "region = north",
        "billing_account_name = Example Ltd",
    )  # fmt: skip
    [row] = export(ratekit, target, "--scope", "name of a1", "--metric", "instance")[0]
    expected = {
        "BillingAccountId": "4711",
        "BillingAccountName": "Example Ltd",
        "BillingCurrency": "EUR",
        "BillingPeriodEnd": "2026-04-01T00:00:00Z",
        "BillingPeriodStart": "2026-03-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": "Running servers",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2026-03-02T00:00:00Z",
        "ChargePeriodStart": "2026-03-01T00:00:00Z",
        "ConsumedQuantity": "2",
        "ConsumedUnit": "instance",
        "InvoiceIssuerName": "Example",
        "ProviderName": "Example",
        "PublisherName": "Example",
        "RegionId": "north",
        "ResourceId": "",
        "ServiceCategory": "Compute",
        "ServiceName": "Compute",
        "ServiceSubcategory": "Virtual Machines",
        "SubAccountId": "a1",
        "SubAccountName": "name of a1",
        "SubAccountType": "Project",
        "Tags": '{"ratekit/flavor_name": "m1.small", "ratekit/image": null}',
        "x_FrameCount": "2",
    }
    assert {name: row[name] for name in expected} == expected
    [row] = export(ratekit, target, "--metric", "volume")[0]
    assert (row["ServiceName"], row["ServiceCategory"]) == ("Archive", "Storage")


def test_a_label_of_the_usage_precedes_the_option(
    ratekit: Shell, target: pathlib.Path, config: pathlib.Path, storage: Storage
) -> None:
    configure(config, "export", "region = north")
    rate_server(storage, "db", region="south", availability_zone="rack 4")
    [row] = export(ratekit, target)[0]
    assert (row["RegionId"], row["RegionName"]) == ("south", "south")
    assert row["AvailabilityZone"] == "rack 4"
    assert (row["ResourceId"], row["ResourceName"]) == ("r1", "db")
    assert row["ResourceType"] == "instance"


@pytest.mark.usefixtures("usage")
def test_metrics_that_are_no_longer_rated_are_still_charged(
    ratekit: Shell, target: pathlib.Path, config: pathlib.Path
) -> None:
    write_metrics(config, {"other": {"unit": "x", "extra_args": {"resource_type": "x"}}})
    rows, _ = export(ratekit, target)
    assert {(row["ServiceName"], row["ServiceSubcategory"]) for row in rows} == {
        ("Compute", "Virtual Machines"),
        ("Block Storage", "Block Storage"),
    }


# Texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMULAS)
def test_a_name_is_no_formula_in_a_sheet_and_stays_whole_in_the_tags(
    ratekit: Shell, target: pathlib.Path, storage: Storage, name: str
) -> None:
    rate_server(storage, name)
    [row] = export(ratekit, target)[0]
    assert row["ResourceName"] == f"'{name}"
    assert yaml.safe_load(row["Tags"]) == {"ratekit/display_name": name}


def test_no_text_acts_on_readers(ratekit: Shell, target: pathlib.Path, storage: Storage) -> None:
    rate_server(storage, HOSTILE)
    [row] = export(ratekit, target)[0]
    assert row["ResourceName"] == r'a\nb,"c"\r\x1b]0;owned\x07\u202e\xa0\ud800'
    assert yaml.safe_load(row["Tags"].replace(r"\ud800", "")) == {
        "ratekit/display_name": HOSTILE[:-1]
    }
    content = target.read_text(encoding="utf-8")
    assert content.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["", None, "  "])
def test_an_absent_name_is_null(
    ratekit: Shell, target: pathlib.Path, storage: Storage, name: str | None
) -> None:
    rate_server(storage, name)
    [row] = export(ratekit, target)[0]
    assert row["ResourceName"] == ""


# Files --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("usage")
def test_a_parquet_file_has_the_same_charges_exactly(
    ratekit: Shell, target: pathlib.Path, storage: Storage
) -> None:
    argv = ("--scope", "a1", "--granularity", "hour")
    rows, _ = export(ratekit, target, *argv)
    binary = target.with_suffix(".parquet")
    assert ratekit("export", "focus", "--begin", "2026-03", *argv, "-o", str(binary)).code == 0
    table = parquet.read_table(binary)
    assert table.column_names == list(rows[0])
    for row, values in zip(rows, table.to_pylist(), strict=True):
        for name, value in values.items():
            match value:
                case None:
                    text = ""
                case datetime.datetime():
                    text = f"{value:%Y-%m-%dT%H:%M:%SZ}"
                case Decimal():
                    assert Fraction(row[name]) == Fraction(value)
                    continue
                case _:
                    text = str(value)
            assert row[name] == text, name
    assert {str(table.schema.field(name).type) for name in COSTS} == {"decimal128(38, 28)"}
    assert Decimal(TINY) in table["BilledCost"].to_pylist()


def test_a_parquet_file_has_names_as_they_are(
    ratekit: Shell, tmp_path: pathlib.Path, storage: Storage
) -> None:
    rate_server(storage, HOSTILE)
    path = tmp_path / "bill.parquet"
    assert ratekit("export", "focus", "--begin", "2026-03", "-o", str(path)).code == 0
    [name] = parquet.read_table(path)["ResourceName"].to_pylist()
    assert name == HOSTILE.replace("\ud800", r"\ud800")


@pytest.mark.usefixtures("usage")
def test_a_number_that_parquet_cannot_have_is_refused_and_nothing_is_written(
    ratekit: Shell, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "bill.parquet"
    path.write_text("of last month")
    line = refusal(ratekit, "--begin", "2026-03", "-o", str(path))
    assert line == (
        "ratekit: BilledCost 12345678901234567890.5 has more digits than Parquet files can have; "
        "write a .csv file"
    )
    assert path.read_text() == "of last month"
    assert [entry.name for entry in tmp_path.iterdir() if "bill" in entry.name] == ["bill.parquet"]


def test_without_pyarrow_a_parquet_file_is_refused(
    config: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError('no', name='pyarrow')")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from ratekit.cmd import ratekit
sys.exit(ratekit.main(
    ["--config-file", {str(config)!r}, "export", "focus", "-o", "{tmp_path}/bill.parquet"]))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert result.stderr == (
        "ratekit: Parquet files need pyarrow: install ratekit-openstack[parquet], or write a .csv "
        "file\n"
    )


@pytest.mark.usefixtures("usage")
def test_a_file_is_replaced_whole_or_not_at_all(
    ratekit: Shell, target: pathlib.Path, storage: Storage
) -> None:
    target.write_text("of last month")
    storage.purge.start(hour(1), totals=False)
    line = refusal(ratekit, "--begin", "2026-03", "-o", str(target))
    assert line == (
        "ratekit: frames before 2026-03-01T01:00:00Z were purged, and the bill would lack them; "
        "export from that time on"
    )
    assert target.read_text() == "of last month"
    export(ratekit, target, "--begin", "2026-03-01T01:00")
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("usage")
def test_standard_output_gets_csv(ratekit: Shell, target: pathlib.Path) -> None:
    rows, _ = export(ratekit, target)
    answer = ratekit("export", "focus", "--begin", "2026-03", "-o", "-")
    assert answer.code == 0
    assert read(answer.out) == rows


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("bill.xlsx", "--output: expected a file that ends with .csv or .parquet, not 'bill.xlsx'"),
        ("/dev/full.csv/x.csv", "cannot write /dev/full.csv/x.csv: No such file or directory"),
        ("/nowhere/bill.csv", "cannot write /nowhere/bill.csv: No such file or directory"),
    ],
)
def test_a_wrong_target_is_named(ratekit: Shell, output: str, expected: str) -> None:
    assert refusal(ratekit, "-o", output) == f"ratekit: {expected}"


def test_a_folder_is_no_target(ratekit: Shell, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "x.csv"
    folder.mkdir()
    assert refusal(ratekit, "-o", str(folder)) == f"ratekit: --output: {folder} is no file"


# Settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "text"), [("", "which is not set"), ("Euro", "not 'Euro'"), ("EUr", "not 'EUr'")]
)
def test_a_currency_has_a_code(
    ratekit: Shell, target: pathlib.Path, config: pathlib.Path, currency: str, text: str
) -> None:
    configure(config, "rating", f"currency = {currency}")
    assert refusal(ratekit, "-o", str(target)) == (
        "ratekit: [rating] currency: FOCUS needs a currency code of ISO 4217 such as EUR, " + text
    )
    assert not target.exists()


def test_an_unknown_subcategory_is_named_with_its_line(
    ratekit: Shell, target: pathlib.Path, config: pathlib.Path
) -> None:
    volume = {**METRICS["volume.size"], "focus": {"service": "x", "subcategory": "Backups"}}
    write_metrics(config, {"volume.size": volume})
    line = refusal(ratekit, "-o", str(target))
    assert "metrics.yml:" in line
    assert "expected a service subcategory of FOCUS such as Virtual Machines, not 'Backups'" in line


def test_an_unknown_scope_is_refused(ratekit: Shell, target: pathlib.Path, usage: None) -> None:
    line = refusal(ratekit, "--scope", "c3", "-o", str(target))
    assert line.startswith("ratekit: --scope: no scope 'c3'")
    assert not target.exists()


# What is missing ----------------------------------------------------------------------------


def test_nothing_to_charge_is_said(ratekit: Shell, target: pathlib.Path) -> None:
    rows, answer = export(ratekit, target)
    assert rows == []
    assert answer.err.splitlines() == [
        "ratekit: no frames match from 2026-03-01T00:00:00Z to 2026-03-02T12:30:00Z",
        "ratekit: 0 charges of 0 frames, 0 EUR",
    ]


def test_any_time_range_can_be_exported(
    ratekit: Shell, target: pathlib.Path, storage: Storage
) -> None:
    rate_server(storage, "x")
    ranges = ("0001-01-02", "9999-12-31T23:59:59"), ("2026-03", "9999-12-31T23:30:00")
    for begin, end in ranges:
        [row], _ = export(
            ratekit, target, "--begin", begin, "--end", end, "--timezone", "Asia/Tokyo"
        )
        assert row["ChargePeriodStart"] <= "2026-03-01T00:00:00Z"
        assert row["ChargePeriodEnd"] == "2026-03-01T15:00:00Z"


def test_what_is_not_yet_rated_is_said(
    ratekit: Shell, target: pathlib.Path, storage: Storage
) -> None:
    scopes = [Scope("a1", "a"), Scope("b2", "b")]
    storage.ledger.observe(scopes, hour(0), hour(0), hour(0))
    rate_server(storage, "x")
    assert export(ratekit, target)[1].err.splitlines()[-1] == (
        "ratekit: not final: 2 scopes not yet rated until 2026-03-02T12:30:00Z, the oldest until "
        "2026-03-01T00:00:00Z; see ratekit scope list"
    )
    answer = export(ratekit, target, "--scope", "a1", "--end", "2026-03-01T01:00")[1]
    assert "not final" not in answer.err


def test_a_scope_that_is_no_longer_rated_is_not_waited_for(
    ratekit: Shell, target: pathlib.Path, storage: Storage
) -> None:
    storage.ledger.observe([Scope("a1", "a")], hour(0), hour(0), hour(0))
    rate_server(storage, "x")
    storage.scopes.deactivate("a1", hour(1))
    assert "not final" not in export(ratekit, target)[1].err
