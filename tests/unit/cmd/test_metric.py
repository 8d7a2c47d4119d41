"""ratekit metric, without a back end."""

from __future__ import annotations

import json
import pathlib
import shutil
from fractions import Fraction

import pytest

from ratekit.admin import number_words
from ratekit.cmd import ratekit as command
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

REPO = pathlib.Path(__file__).parents[3]
TEXT = """\
metrics:
  cpu:
    - unit: instance
      alt_name: instance
      description: Servers.
      mutate: NUMBOOL
      groupby: [id, project_id]
      metadata: [flavor_name]
      extra_args: {resource_type: instance, aggregation_method: mean, force_granularity: 0}
    - unit: h
      alt_name: hours
      factor: 1/3600
      extra_args:
        resource_type: instance
        custom_query: (aggregate sum (metric cpu.time max))
"""


@pytest.fixture
def metrics(ratekit: Shell) -> pathlib.Path:
    """The file of [collect] metrics_conf; the configuration has no credentials."""
    path = ratekit.config.with_name("metrics.yml")
    path.write_text(TEXT)
    return path


@pytest.mark.usefixtures("metrics")
def test_each_definition_is_listed_with_its_source_and_conversion(ratekit: Shell) -> None:
    first, second = ratekit("metric", "list", "-f", "json").json()
    assert first == {
        "Metric": "instance",
        "Name": "cpu",
        "Unit": "instance",
        "Reads": {
            "resource_type": "instance",
            "aggregation_method": "mean",
            "re_aggregation_method": "mean",
            "granularity": "largest that fits",
        },
        "Conversion": "NUMBOOL",
        "Labels": "id, project_id, flavor_name",
        "Description": "Servers.",
    }
    assert (second["Metric"], second["Name"], second["Conversion"]) == ("hours", "cpu", "* 1/3600")
    assert second["Reads"]["metric"] == "cpu.time"
    assert second["Reads"]["re_aggregation_method"] == "sum"
    assert second["Reads"]["granularity"] == "3600 s"


def test_another_file_may_be_listed(ratekit: Shell) -> None:
    rows = ratekit("metric", "list", str(REPO / "etc/ratekit/metrics.yml"), "-f", "json").json()
    assert "volume.size" in {row["Metric"] for row in rows}


@pytest.mark.usefixtures("metrics")
def test_a_file_without_mistakes_is_one_line_and_needs_no_credentials(ratekit: Shell) -> None:
    answer = ratekit("metric", "check", "--offline")
    assert (answer.code, answer.out, answer.err) == (0, "2 metrics, no mistakes\n", "")
    assert ratekit("metric", "check", "--offline", "-f", "json").json() == []


@pytest.mark.parametrize("command", [["list"], ["check", "--offline"], ["sample", "x"]])
def test_every_mistake_in_the_file_is_a_line_and_2(
    command: list[str], metrics: pathlib.Path, ratekit: Shell
) -> None:
    metrics.write_text(TEXT.replace("NUMBOOL", "NUMBOL").replace("factor", "facter"))
    with_credentials(ratekit)
    answer = ratekit("metric", *command)
    assert answer.code == 2
    assert answer.out == ""
    assert [line.partition(": metrics.cpu")[0] for line in answer.err.splitlines()] == [
        f"ratekit: {metrics}:6", f"ratekit: {metrics}:12",
    ]  # fmt: skip


def with_credentials(ratekit: Shell) -> None:
    text = ratekit.config.read_text()
    ratekit.config.write_text(
        text + "[collector_gnocchi]\ngnocchi_auth_type = basic\ngnocchi_user = admin\n"
        "gnocchi_endpoint = http://127.0.0.1:1\n"
    )


def test_a_file_is_listed_and_checked_without_a_configuration(
    metrics: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where oslo.config looks for one.
    monkeypatch.setenv("HOME", str(metrics.parent / "home"))
    check = ["metric", "check", "--offline", str(metrics)]
    assert command.main(check) == 0
    assert capsys.readouterr() == ("2 metrics, no mistakes\n", "")
    assert command.main(["metric", "list", str(metrics), "-f", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["Metric"] for row in rows] == ["instance", "hours"]
    metrics.write_text(TEXT.replace("NUMBOOL", "NUMBOL"))
    assert command.main(check) == 2
    answer = capsys.readouterr()
    assert (answer.out, answer.err.count("\n")) == ("", 1)
    assert answer.err.startswith(f"ratekit: {metrics}:6: metrics.cpu")
    assert command.main(["metric", "check", str(metrics)]) == 2
    assert capsys.readouterr().err.startswith("ratekit: no configuration file: expected ")


@pytest.mark.usefixtures("metrics", "usage")
@pytest.mark.parametrize(
    ("scope", "message"),
    [
        # A stored scope, and one that only the fetcher knows.
        (
            "name a1",
            "no scope 'name a1' (did you mean 'name of a1'?); see ratekit scope list --all",
        ),
        ("project", "no scope 'project' (did you mean 'project-1'?); see ratekit scope list --all"),
        ("twin", "2 scopes are named 'twin': t1, t2"),
    ],
)
def test_a_sample_of_an_unknown_or_ambiguous_scope_is_one_line_and_2(
    scope: str, message: str, ratekit: Shell, storage: Storage
) -> None:
    with_credentials(ratekit)
    with ratekit.config.open("a") as file:
        file.write("[fetcher]\nbackend = static\n[fetcher_static]\nscopes = project-1\n")
    scopes = [Scope(id_, "twin") for id_ in ("t1", "t2")]
    storage.ledger.observe(scopes, given.START, given.START, given.START)
    answer = ratekit("metric", "sample", "instance", "--scope", scope)
    assert (answer.code, answer.out, answer.err) == (2, "", f"ratekit: --scope: {message}\n")


@pytest.mark.usefixtures("metrics")
@pytest.mark.parametrize("upgraded", [True, False])
def test_a_scope_of_the_fetcher_is_sampled_before_it_is_stored(
    upgraded: bool, ratekit: Shell, tmp_path: pathlib.Path
) -> None:
    with_credentials(ratekit)
    with ratekit.config.open("a") as file:
        file.write("[fetcher]\nbackend = static\n[fetcher_static]\nscopes = p1\n")
    if not upgraded:
        (tmp_path / "ratekit.sqlite").unlink()
    answer = ratekit("metric", "sample", "instance", "--scope", "p1")
    assert (answer.code, answer.out) == (1, "")
    assert "does not answer" in answer.err


@pytest.mark.usefixtures("metrics")
def test_without_credentials_a_check_is_one_line_and_2(ratekit: Shell) -> None:
    answer = ratekit("metric", "check")
    assert answer.code == 2
    assert "auth_type" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.usefixtures("metrics", "usage")
def test_a_back_end_that_does_not_answer_is_a_line_and_1(ratekit: Shell) -> None:
    with_credentials(ratekit)
    commands = (
        ["check"],
        ["sample", "instance", "--scope", "a1"],
        ["sample", "instance", "--scope", "name of a1"],
    )
    for words in commands:
        answer = ratekit("metric", *words)
        assert (answer.code, answer.out) == (1, "")
        assert "does not answer" in answer.err
        assert answer.err.count("\n") == 1


@pytest.mark.usefixtures("metrics")
@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["instanc"], "did you mean 'instance'"),
        (["cpu"], "use a public name: instance, hours"),
        (["instance", "--period", "noon"], "--period: expected a date or time"),
        (["instance", "--period", "2026-01-01T06:30"], "2026-01-01T06:00:00Z and"),
    ],
)
def test_an_impossible_sample_is_one_line_and_2(
    arguments: list[str], hint: str, ratekit: Shell
) -> None:
    with_credentials(ratekit)
    answer = ratekit("metric", "sample", *arguments)
    assert answer.code == 2
    assert hint in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(7), "7"), (Fraction(15, 2), "7.5"), (Fraction(1, 3), "1/3"),
        (Fraction(-1, 1048576), "-0.00000095367431640625"), (Fraction(1200), "1200"),
    ],
)  # fmt: skip
def test_numbers_are_written_exactly(value: Fraction, text: str) -> None:
    assert number_words.ratio_text(value) == text


def test_the_file_that_operators_copy_has_no_mistake(ratekit: Shell) -> None:
    shutil.copy(REPO / "etc/ratekit/metrics.yml", ratekit.config.with_name("metrics.yml"))
    assert ratekit("metric", "check", "--offline").out == "7 metrics, no mistakes\n"
