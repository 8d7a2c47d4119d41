"""The JSON Schema that editors check metrics.yml with."""

import json
import pathlib
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.files import metrics_schema, yaml_file

REPO = pathlib.Path(__file__).parents[3]
SCHEMA = REPO / "etc/ratekit/metrics.schema.json"
FILES = [
    REPO / "etc/ratekit/metrics.yml",
    REPO / "tests/data/cloudkitty-rocky-metrics.yml",
    REPO / "tests/data/cloudkitty-2026-metrics.yml",
]


def plain(data: Any) -> Any:
    """What a YAML reader of an editor would make of it."""
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain(value) for value in data]
    return float(data) if isinstance(data, Decimal) else data


def mistakes(data: Any) -> list[str]:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)]


def example(**keys: Any) -> dict[str, Any]:
    entry = {"unit": "GiB", "extra_args": {"resource_type": "volume"}, **keys}
    return {"metrics": {"volume.size": entry}}


def test_the_schema_in_git_is_the_schema_of_the_reader() -> None:
    assert json.loads(SCHEMA.read_text()) == metrics_schema.json_schema(GnocchiArgs)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_valid_files_pass(path: pathlib.Path) -> None:
    assert mistakes(plain(yaml_file.read(str(path)).data)) == []


@pytest.mark.parametrize(
    "keys",
    [
        {"prorate": True, "skip_zero": True, "description": "What it is."},
        {"mutate": "MAP", "mutate_map": {"1": 2, "3": "1/2"}},
        {"factor": "1/1024", "offset": 0.5},
        {"extra_args": {"resource_type": "volume", "force_granularity": 0}},
    ],
)
def test_valid_keys_pass(keys: dict[str, Any]) -> None:
    assert mistakes(example(**keys)) == []


@pytest.mark.parametrize(
    "keys",
    [
        {"metdata": ["volume_type"]},
        {"mutate": "NUMBOL"},
        {"factor": [1]},
        {"groupby": "id"},
        {"extra_args": {"resource_typ": "volume"}},
        {"extra_args": {"resource_type": "volume", "agregation_method": "max"}},
    ],
)
def test_a_misspelt_key_or_a_wrong_value_fails(keys: dict[str, Any]) -> None:
    assert mistakes(example(**keys))


def test_every_key_has_a_description() -> None:
    schema = json.loads(SCHEMA.read_text())
    for name, definition in {"the file": schema, **schema["$defs"]}.items():
        for key, entry in definition["properties"].items():
            assert "description" in entry or "$ref" in entry, f"{name}.{key}"


def test_the_shipped_file_names_its_schema() -> None:
    first, *_ = FILES[0].read_text().splitlines()
    assert first == f"# yaml-language-server: $schema={SCHEMA.name}"
