"""Mistakes of all kinds: the exact message, exit code 2, and that nothing is written."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from ratekit.cmd import dbsync
from tests.unit.cmd.conftest import Shell

NO_RULES = "services: {}\n"
METRIC = "{unit: u, extra_args: {resource_type: i}}"
#: Enough to rate with, if the file under test were right.
AUTH = """\
[fetcher]
backend = static
[fetcher_static]
scopes = a
[collector_gnocchi]
gnocchi_auth_type = basic
gnocchi_user = admin
gnocchi_endpoint = http://127.0.0.1:1
"""


@pytest.fixture
def folder(ratekit: Shell, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The current folder: ratekit.conf and metrics.yml that are right, and an empty database."""
    monkeypatch.chdir(tmp_path)
    ratekit.config = pathlib.Path("ratekit.conf")
    (tmp_path / "metrics.yml").write_text(f"metrics: {{instance: {METRIC}}}\n")
    (tmp_path / "rules.yml").write_text(NO_RULES)
    (tmp_path / "folder").mkdir()
    return tmp_path


def matches(lines: list[str], facts: list[tuple[str, str]]) -> bool:
    """Compare lines with (start of the line, text in the rest of it), one for each line."""
    return len(lines) == len(facts) and all(
        line.startswith(start) and text in line[len(start) :]
        for line, (start, text) in zip(lines, facts, strict=True)
    )


def written(folder: pathlib.Path) -> dict[str, bytes]:
    """Every permanent file, with its content."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("hashmap apply none.yml", "none.yml: cannot be read: No such file or directory"),
        ("hashmap check /dev/zero", "/dev/zero: is larger than 16 MiB"),
        ("hashmap apply folder", "folder: cannot be read: Is a directory"),
        ("hashmap export folder/no/x", "folder/no/x: cannot be written: No such file or directory"),
        ("hashmap export rules.yml", "rules.yml: cannot be written: File exists"),
        (
            "summary --metric instanse",
            "--metric: no metric is called 'instanse' (did you mean 'instance'?)",
        ),
        (
            "frame list --metric x",
            "--metric: no metric is called 'x'; known metrics: instance",
        ),
        (
            "summary --groupby Metric",
            "--groupby: 'Metric' is neither scope, metric, hour, day, week, month, year nor a "
            "label of any metric (did you mean 'metric'?)",
        ),
        ("summary --scope x", "--scope: no scope 'x'; see ratekit scope list --all"),
        (
            "summary --timezone Europe/Berln",
            "--timezone: expected a name such as Europe/Berlin or UTC, not 'Europe/Berln' "
            "(did you mean 'Europe/Berlin'?)",
        ),
        (
            "summary --begin 2026-02-30",
            "--begin: expected a date or time such as 2026-01-31, 2026-01-31T12:00, 2026-01, "
            "yesterday or -7d, not '2026-02-30'",
        ),
        (
            "frame list --end soon",
            "--end: expected a date or time such as 2026-01-31, 2026-01-31T12:00, 2026-01, "
            "yesterday or -7d, not 'soon'",
        ),
        (
            "summary --begin 2026-03-01 --end 2026-02-01",
            "--begin 2026-03-01T00:00:00Z is not before --end 2026-02-01T00:00:00Z",
        ),
    ],
)
def test_a_command_that_cannot_be_carried_out(
    command: str, message: str, ratekit: Shell, folder: pathlib.Path
) -> None:
    before = written(folder)
    answer = ratekit(*command.split())
    assert (answer.code, answer.out, answer.err) == (2, "", f"ratekit: {message}\n")
    assert written(folder) == before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("frame list --limit many", "argument --limit: expected a whole number of at least 0, "
         "not 'many'"),
        ("frame list --limit 99999999999999999999", "argument --limit: expected a whole number "
         "of at least 0, not '99999999999999999999'"),
        ("summary --decimals 29", "argument --decimals: expected a whole number from 0 to 28, "
         "not '29'"),
        ("summary -f xml", "argument -f/--format: invalid choice: 'xml' (choose from 'csv', "
         "'json', 'table', 'value', 'yaml')"),
        ("hashmap apply", "the following arguments are required: FILE"),
    ],
)  # fmt: skip
def test_a_wrong_option(command: str, message: str, ratekit: Shell, folder: pathlib.Path) -> None:
    answer = ratekit(*command.split())
    assert (answer.code, answer.out) == (2, "")
    usage, error = answer.err.splitlines()
    name = command.partition(" -")[0]
    assert usage.startswith(f"usage: ratekit {name} [options]")
    assert error == f"ratekit {name}: error: {message}"


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("services: [", [(":1: ", "YAML")]),
        ("", [(": ", "mapping")]),
        (
            "servces: {}\n",
            [(":1: services: ", "required"), (":1: servces: ", "did you mean 'services'?")],
        ),
        (
            "services:\n"
            "  instance:\n"
            "    mappings:\n"
            "      - {cost: 1_0, type: flat}\n"
            "      - {cost: .nan, type: flat, group: a}\n"
            "      - {cost: 1e999, type: flat, group: b}\n"
            "      - {cost: 1, type: flat, group: c, value: x}\n"
            "      - {cost: 1, type: flat, group: d}\n"
            "      - {cost: 2, type: flat, group: d}\n"
            "    mappings: []\n"
            "    fields:\n"
            "      flavor:\n"
            "        mappings: [{cost: 1, typ: flat}]\n",
            [
                (":4: services.instance.mappings[0].cost: ", "'1_0'"),
                (":5: services.instance.mappings[1].cost: ", "'.nan'"),
                (":6: services.instance.mappings[2].cost: ", "at most 40 digits"),
                (":7: services.instance.mappings[3].value: ", "mapping"),
                (":9: services.instance.mappings[5]: ", "line 8"),
                (":10: services.instance.mappings: ", ""),
                (":13: services.instance.fields.flavor.mappings[0].type: ", "required"),
                (":13: services.instance.fields.flavor.mappings[0].value: ", "required"),
                (":13: services.instance.fields.flavor.mappings[0].typ: ", "did you mean 'type'?"),
            ],
        ),
    ],
)  # fmt: skip
def test_a_wrong_rule_file(
    text: str, facts: list[tuple[str, str]], ratekit: Shell, folder: pathlib.Path
) -> None:
    (folder / "rules.yml").write_text(text)
    before = written(folder)
    answer = ratekit("hashmap", "apply", "rules.yml", "--yes")
    assert (answer.code, answer.out) == (2, "")
    lines = [line.removeprefix("ratekit: rules.yml") for line in answer.err.splitlines()]
    assert matches(lines, facts), lines
    assert written(folder) == before


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "[collect]\nperiod = often\nstart = x\n",
            [
                "2: [collect] period: expected a whole number of seconds from 60 to 2,678,400, "
                "not 'often'",
                "3: [collect] start: expected month, now or an ISO 8601 date, not 'x'",
            ],
        ),
        ("[collect\n", ["1: expected '[section]' and nothing after it"]),
        (
            "[database]\nconnection = sqlite:///$home/x\n",
            ["2: [database] connection: has a '$' that names no option; write '$$' for a dollar "
             "sign"],
        ),
    ],
)  # fmt: skip
def test_a_wrong_configuration(
    text: str,
    messages: list[str],
    ratekit: Shell,
    folder: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ratekit.config.write_text(text)
    before = written(folder)
    lines = [f"ratekit.conf:{line}" for line in messages]
    answer = ratekit("hashmap", "apply", "rules.yml", "--yes")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines() == [f"ratekit: {line}" for line in lines]
    assert dbsync.main(["--config-file", "ratekit.conf", "upgrade"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", [f"ratekit-dbsync: {line}" for line in lines])
    assert written(folder) == before


@pytest.mark.parametrize(
    ("conf", "metrics", "facts"),
    [
        (
            "[fetcher]\nbackend = keystone\n[rating]\nmodules = hashmp\n",
            METRIC,
            [
                (
                    "ratekit.conf:9: [fetcher_keystone] auth_type: ",
                    "is required: how to authenticate, e.g. 'password'",
                ),
                (
                    "ratekit.conf:13: [rating] modules: ",
                    "unknown plug-in 'hashmp' (did you mean 'hashmap'?); known: hashmap, noop",
                ),
            ],
        ),
        (
            "[DEFAULT]\nonce = banana\nallow_expired = true\n",
            METRIC,
            [
                ("ratekit.conf:11: [DEFAULT] once: ", "is for the command line only; remove it"),
                (
                    "ratekit.conf:12: [DEFAULT] allow_expired: ",
                    "is for the command line only; remove it",
                ),
            ],
        ),
        (
            "[orchestrator]\nskip_datapoints_expression = vol == 0\n",
            METRIC,
            [("ratekit.conf:11: [orchestrator] skip_datapoints_expression: ", "'vol'")],
        ),
        (
            "",
            "{unit: 1, extra_args: {resource_type: i, force_granularity: 7}}",
            [
                ("metrics.yml:1: metrics.instance.unit: ", "not 1"),
                ("metrics.yml:1: metrics.instance.extra_args.force_granularity: ", "3600"),
            ],
        ),
    ],
)
def test_the_processor_ends_before_it_writes(
    conf: str, metrics: str, facts: list[tuple[str, str]], ratekit: Shell, folder: pathlib.Path
) -> None:
    text = ratekit.config.read_text().replace(f"{folder}/metrics.yml", "metrics.yml")
    (folder / "metrics.yml").write_text(f"metrics: {{instance: {metrics}}}\n")
    ratekit.config.write_text(f"{AUTH}[fetcher_keystone]\n{conf}{text}" if conf else AUTH + text)
    before = written(folder)
    program = pathlib.Path(sys.executable).with_name("ratekit-processor")
    process = subprocess.run(
        [program, "--once", "--config-file", "ratekit.conf"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (process.returncode, process.stdout) == (2, "")
    lines = process.stderr.replace("ratekit-processor: ", "").splitlines()
    assert matches(lines, facts), lines
    assert written(folder) == before
