"""ratekit hashmap check: a file of price rules by itself."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.cmd import ratekit as command
from tests.unit.cmd.conftest import Answer, Shell

GOOD = "services:\n  cpu: {mappings: [{cost: 1, type: flat}]}\n"
SUSPICIOUS = "services:\n  cpu: {mappings: [{cost: 2, type: rate}]}\n"
METRICS = "metrics:\n  cpus: {unit: s, extra_args: {resource_type: instance}}\n"


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    """A rule file."""
    path = tmp_path / "hashmap.yml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def alone(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """The command where there is no configuration, wherever oslo.config looks."""

    class Alone(Shell):
        def __call__(self, *argv: str, **_: object) -> Answer:
            return Answer(command.main(list(argv)), *self.captured.readouterr())

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Alone(tmp_path, capsys)


def test_a_file_is_checked_without_configuration_and_database(
    alone: Shell, file: pathlib.Path
) -> None:
    answer = alone("hashmap", "check", "--strict", str(file))
    assert (answer.code, answer.out, answer.err) == (
        0,
        "1 rule, 0 warnings, not compared with metrics.yml\n",
        "",
    )


def test_mistakes_are_lines_and_exit_code_2(alone: Shell, file: pathlib.Path) -> None:
    file.write_text(GOOD.replace("cost: 1", "cost: .nan").replace("flat", "flt"))
    answer = alone("hashmap", "check", str(file))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines() == [
        f"ratekit: {file}:2: services.cpu.mappings[0].cost: expected a decimal number, not '.nan'",
        f"ratekit: {file}:2: services.cpu.mappings[0].type: expected 'flat' or 'rate', not 'flt'",
    ]


def test_a_warning_is_a_failure_only_with_strict(alone: Shell, file: pathlib.Path) -> None:
    file.write_text(SUSPICIOUS)
    for options, code in (((), 0), (("--strict",), 1)):
        answer = alone("hashmap", "check", *options, str(file))
        assert (answer.code, answer.out) == (
            code,
            "1 rule, 1 warning, not compared with metrics.yml\n",
        )
        assert answer.err.startswith(f"ratekit: warning: {file}:2: services.cpu.mappings[0]: ")
        assert answer.err.count("\n") == 1


def test_names_are_compared_with_a_metrics_file(alone: Shell, file: pathlib.Path) -> None:
    metrics = file.with_name("metrics.yml")
    metrics.write_text(METRICS)
    answer = alone("hashmap", "check", "--metrics", str(metrics), str(file))
    assert (answer.code, answer.out) == (0, f"1 rule, 2 warnings, compared with {metrics}\n")
    assert answer.err.startswith(f"ratekit: warning: {file}:2: services.cpu.mappings[0]: ")
    assert answer.err.count("\n") == 2
    assert f"{metrics} is named 'cpu' (did you mean 'cpus'?)" in answer.err
    file.write_text(GOOD.replace("cpu", "cpus"))
    assert alone("hashmap", "check", "--strict", f"--metrics={metrics}", str(file)).code == 0


def test_a_metrics_file_that_cannot_be_read_is_an_error(alone: Shell, file: pathlib.Path) -> None:
    missing = file.with_name("none.yml")
    answer = alone("hashmap", "check", "--metrics", str(missing), str(file))
    assert (answer.code, answer.err) == (
        2,
        f"ratekit: {missing}: cannot read any metric; see ratekit metric check\n",
    )


def test_a_configuration_names_the_metrics(ratekit: Shell, file: pathlib.Path) -> None:
    metrics = file.with_name("metrics.yml")
    metrics.write_text(METRICS)
    answer = ratekit("hashmap", "check", "--strict", str(file))
    assert (answer.code, answer.out) == (1, f"1 rule, 2 warnings, compared with {metrics}\n")


def test_a_value_that_the_calendar_never_has_is_a_warning(alone: Shell, file: pathlib.Path) -> None:
    file.write_text(
        "services:\n  cpu:\n    fields:\n      month:\n"
        "        mappings: [{value: 03, cost: 1, type: flat}, {value: 3, cost: 1, type: flat}]\n"
        "        thresholds: [{level: 13, cost: 1, type: flat}]\n"
    )
    answer = alone("hashmap", "check", "--strict", str(file))
    assert (answer.code, answer.out) == (1, "3 rules, 2 warnings, not compared with metrics.yml\n")
    place = f"ratekit: warning: {file}"
    assert answer.err.splitlines() == [
        f"{place}:5: services.cpu.fields.month.mappings[0]: '03' never matches: months are 1 to "
        "12, without a leading zero",
        f"{place}:6: services.cpu.fields.month.thresholds[0]: never reached: month is at most 12",
    ]
