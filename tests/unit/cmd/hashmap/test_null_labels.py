"""Rules for labels that are null, from the file to the bill and back."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell


@pytest.fixture
def volumes(storage: Storage) -> None:
    """One rated hour of three volumes without a type, one of a type and one with an empty type."""
    states = given.list_scopes(storage, "a1")
    types = {"v1": None, "v2": None, "v3": None, "v4": "ssd", "v5": ""}
    storage.ledger.commit(
        given.batch(
            states,
            *(
                given.build_series(
                    "a1",
                    [("10", "0")],
                    metric="volume.size",
                    labels={"id": id_},
                    metadata={"volume_type": type_},
                )
                for id_, type_ in types.items()
            ),
            periods=given.window(1),
        )
    )


def write(path: pathlib.Path, *values: str) -> pathlib.Path:
    """Write a rule for each value of the volume's type; costs are 1, 2, 3."""
    entries = ", ".join(
        f"{{value: {value}, cost: {cost}, type: flat}}" for cost, value in enumerate(values, 1)
    )
    field = f"{{volume_type: {{mappings: [{entries}]}}}}"
    path.write_text(f"services: {{volume.size: {{fields: {field}}}}}\n")
    return path


def test_a_plan_counts_usage_whose_null_label_nothing_prices(
    ratekit: Shell, volumes: None, tmp_path: pathlib.Path
) -> None:
    file = write(tmp_path / "rules.yml", "ssd", '""')
    answer = ratekit("hashmap", "plan", str(file))
    assert answer.code == 0
    assert answer.err.splitlines() == [
        f"ratekit: warning: {file}: services.volume.size.fields.volume_type: 3 recent usages "
        "would cost nothing and the label is null: add a mapping with value: null"
    ]
    assert ratekit("hashmap", "plan", str(write(file, "ssd", "null"))).err == ""


def test_cloudkittys_text_is_read_as_null_with_a_line(
    ratekit: Shell, volumes: None, tmp_path: pathlib.Path
) -> None:
    file = write(tmp_path / "rules.yml", "None")
    answer = ratekit("hashmap", "plan", str(file))
    assert answer.err.splitlines() == [
        f"ratekit: warning: {file}:1: services.volume.size.fields.volume_type.mappings[0].value: "
        "None is read as null, as in CloudKitty: it matches labels that are null or have the text "
        "None; write null"
    ]
    assert "+ volume.size.volume_type=null flat 1 from 2026-03-02T13:00:00Z" in answer.out


def test_null_and_empty_stay_apart_in_history_export_and_quote(
    ratekit: Shell, volumes: None, tmp_path: pathlib.Path
) -> None:
    file = write(tmp_path / "rules.yml", "null", '""', '"null"')
    assert ratekit("hashmap", "apply", str(file), "--yes").code == 0
    history = ratekit("hashmap", "history", "1", "-f", "json").json()
    since = "from 2026-03-02T13:00:00Z"
    assert [row["Rule"] for row in history] == [
        f"volume.size.volume_type=null flat 1 {since}",
        f"volume.size.volume_type='' flat 2 {since}",
        f"volume.size.volume_type='null' flat 3 {since}",
    ]
    exported = ratekit("hashmap", "export").out
    for value in ("null", '""', '"null"'):
        assert f"{{value: {value}, cost" in exported
    (tmp_path / "exported.yml").write_text(exported)
    again = ratekit("hashmap", "apply", str(tmp_path / "exported.yml"))
    assert again.out == "nothing to do: 3 rules already in force\n"
    quotes: list[tuple[str, str | None, str]] = [
        ("--null-label=volume_type", None, "10"),
        ("--label=volume_type=", "", "20"),
        ("--label=volume_type=null", "null", "30"),
    ]
    for option, label, price in quotes:
        answer = ratekit(
            "quote", "--service", "volume.size", "--qty", "10", option,
            "--at", "2026-04-01", "-f", "json",
        )  # fmt: skip
        document = answer.json()
        assert document["Price of the period"] == price
        assert document["Labels"] == {"volume_type": label}


def test_a_retroactive_rule_for_null_charges_what_was_free(
    ratekit: Shell, volumes: None, tmp_path: pathlib.Path
) -> None:
    file = write(tmp_path / "rules.yml", "null")
    answer = ratekit("hashmap", "plan", str(file), "--since", "2026-03-01", "-f", "json")
    [difference] = answer.json()["what_if"]
    assert (difference["frames"], difference["new_price"]) == (5, "30")


def test_explain_selects_a_null_label(
    ratekit: Shell, volumes: None, tmp_path: pathlib.Path
) -> None:
    options = ("--scope", "a1", "--metric", "volume.size", "--period", "2026-03-01", "--offline")
    answer = ratekit("explain", *options, "--null-label", "volume_type")
    assert answer.code == 2
    assert answer.err.count("id=v") == 3
    answer = ratekit("explain", *options, "--label", "volume_type=", "-f", "json")
    assert answer.json()["Labels"]["id"] == "v5"
    everything = ratekit("explain", *options).err
    assert everything.count("volume_type (null)") == 3
    answer = ratekit("explain", *options, "--null-label", "flavor")
    assert answer.err == (
        "ratekit: no frame of volume.size of scope a1 in the period starting at "
        "2026-03-01T00:00:00Z has a label 'flavor'; frames in this period: 5, see "
        "ratekit frame list\n"
    )


def test_a_name_has_one_value(ratekit: Shell) -> None:
    answer = ratekit("quote", "--service", "a", "--label", "b=", "--null-label", "b")
    assert (answer.code, answer.err) == (2, "ratekit: --null-label: 'b' occurs twice\n")
