"""The JSON Schema that editors check price rules with."""

import json
import pathlib
import tracemalloc
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit import errors
from ratekit.files import rules_file, rules_schema, yaml_file

REPO = pathlib.Path(__file__).parents[3]
SCHEMA = REPO / "etc/ratekit/hashmap.schema.json"
FILES = [REPO / "etc/ratekit/hashmap.yml", REPO / "tests/functional/rules.yml"]


def plain(data: Any) -> Any:
    """Return the data as the YAML reader of an editor reads it."""
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain(value) for value in data]
    return float(data) if isinstance(data, Decimal) else data


def mistakes(data: Any) -> list[str]:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)]


def test_the_schema_in_git_is_the_schema_of_the_reader() -> None:
    assert json.loads(SCHEMA.read_text()) == rules_schema.json_schema()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_valid_files_pass(path: pathlib.Path) -> None:
    assert mistakes(plain(yaml_file.read(str(path)).data)) == []


@pytest.mark.parametrize(
    "rule",
    [
        "{value: m1, cost: 1, type: flat}",
        '{value: 7, cost: "1e-3", type: rate, group: g, scope: 5f1c}',
        "{value: m1, cost: -0.5, type: flat, start: 2026-01-01, end: 2026-02-01T00:00:00Z}",
        "{value: '', cost: .5, type: flat, start: null}",
    ],
)
def test_valid_rules_pass(rule: str, tmp_path: pathlib.Path) -> None:
    path = write(rule, tmp_path)
    assert len(rules_file.read(path)) == 1
    assert mistakes(plain(yaml_file.read(path).data)) == []


@pytest.mark.parametrize(
    "rule",
    [
        "{value: m1, cost: cheap, type: flat}",
        "{value: m1, cost: 1_000, type: flat}",
        "{value: m1, cost: .inf, type: flat}",
        "{value: m1, cost: 1, type: flt}",
        "{value: m1, cost: 1}",
        "{value: m1, type: flat}",
        "{cost: 1, type: flat}",
        "{value: m1, level: 1, cost: 1, type: flat}",
        "{value: m1, cost: 1, type: flat, gruop: g}",
        "{value: m1, cost: 1, type: flat, group: ''}",
        "{value: yes, cost: 1, type: flat}",
        "{value: m1, cost: 1, type: flat, scope: off}",
        f"{{value: {'x' * 256}, cost: 1, type: flat}}",
        "{value: m1, cost: 1, type: flat, start: tomorrow}",
        "[value, m1]",
        "m1",
    ],
)
def test_a_rule_that_the_reader_rejects_fails(rule: str, tmp_path: pathlib.Path) -> None:
    path = write(rule, tmp_path)
    with pytest.raises(errors.BadInput):
        rules_file.read(path)
    assert mistakes(plain(yaml_file.read(path).data))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"services": []},
        {"services": {"a": None}},
        {"service": {}},
        {"services": {"a": {"mapping": []}}},
        {"services": {"a": {"mappings": {}}}},
        {"services": {"a": {"mappings": [{"value": "x", "cost": 1, "type": "flat"}]}}},
        {"services": {"a": {"thresholds": [{"cost": 1, "type": "flat"}]}}},
        {"services": {"a": {"thresholds": [{"level": -1, "cost": 1, "type": "flat"}]}}},
        {"services": {"a": {"thresholds": [{"level": "-1", "cost": 1, "type": "flat"}]}}},
        {"services": {"a": {"fields": {"f": {"fields": {}}}}}},
    ],
)
def test_a_file_that_the_reader_rejects_fails(data: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps(data))
    with pytest.raises(errors.BadInput):
        rules_file.read(str(path))
    assert mistakes(data)


def write(rule: str, folder: pathlib.Path) -> str:
    """Write a file with one mapping of a field."""
    path = folder / "rules.yml"
    path.write_text(f"services:\n  a:\n    fields:\n      f:\n        mappings: [{rule}]\n")
    return str(path)


def test_every_key_has_a_description() -> None:
    schema = json.loads(SCHEMA.read_text())
    objects = {name: part for name, part in schema["$defs"].items() if "properties" in part}
    for name, definition in {"the file": schema, **objects}.items():
        for key, entry in definition["properties"].items():
            assert "description" in entry, f"{name}.{key}"


def test_the_shipped_file_names_its_schema() -> None:
    first, *_ = FILES[0].read_text().splitlines()
    assert first == f"# yaml-language-server: $schema={SCHEMA.name}"


def written_digits(number: Decimal) -> tuple[int, int]:
    """Return the number of digits before and after the point, as the number is written."""
    whole, _, fraction = f"{abs(number):f}".partition(".")
    return len(whole.lstrip("0")), len(fraction)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(-45, 45))
def test_a_number_has_as_many_digits_as_are_written(number: Decimal, exponent: int) -> None:
    number = Decimal((0, number.as_tuple().digits[-45:], exponent))
    whole, places = written_digits(number)
    if whole <= 37 and places <= 28 and whole + places <= 40:
        rules_schema.require_digits(number)
    else:
        with pytest.raises(ValueError, match="at most 40 digits"):
            rules_schema.require_digits(number)


@pytest.mark.parametrize("text", ["1e99999999", "-1e99999999", "1e-99999999", "-0e-99999999"])
def test_a_number_with_an_enormous_exponent_is_refused_without_being_written_out(text: str) -> None:
    number = Decimal(text)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="at most 40 digits"):
            rules_schema.require_digits(number)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
