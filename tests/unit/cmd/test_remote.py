"""Commands that ask an API: what they show equals what they show of the database."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
import waitress

from ratekit.api import application, routes
from ratekit.api.parts import Parts
from ratekit.domain.reporting.reports import AllScopes, Selection, StateRow
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.interfaces import Storage
from tests.api_client import identify
from tests.api_server import serve
from tests.contract import given
from tests.unit.api import test_dataframes
from tests.unit.api.test_dataframes import Failing
from tests.unit.cmd.conftest import Shell, ask, configure

FLAVOR = RuleTarget("instance", "flavor_name")
FRAME = "--scope a1 --metric instance --period 2026-03-01T00:00"
SUMMARIES = [
    "summary",
    "summary -f json",
    "summary --groupby scope -f csv",
    "summary --groupby metric,day",
    "summary --groupby hour,scope,metric -f json",
    "summary --groupby week,month,year -f json",
    "summary --groupby flavor_name,image -f json",
    "summary --pivot day",
    "summary --scope a1 --metric volume -f json",
    "summary --scope a1 --scope b2 --metric volume --metric instance",
    "summary --month 2026-02",
    "summary --compare 2026-02 2026-03",
    "summary --begin 2026-03-01T01:00 --end 2026-03-02 --groupby hour",
    "summary --timezone Europe/Berlin --groupby scope",
    "summary --timezone Europe/Berlin --groupby hour,scope -f json",
    "summary --timezone America/New_York --groupby day,week,month,year -f json",
    "summary --timezone Asia/Kathmandu --pivot day",
    "summary --timezone America/New_York --compare 2026-02 2026-03",
]


@pytest.mark.parametrize("words", SUMMARIES)
def test_a_summary_over_the_api_equals_that_of_the_database(
    ratekit: Shell, url: str, words: str
) -> None:
    expected = ratekit(*words.split())
    assert expected.code == 0, expected.err
    answer = ask(ratekit, url, words)
    assert answer.code == 0, answer.err
    assert answer.out == expected.out


@pytest.mark.parametrize("words", ["", "--scope a1", "--metric volume --timezone Asia/Kathmandu"])
def test_a_sheet_over_the_api_equals_that_of_the_database(
    ratekit: Shell, url: str, tmp_path: pathlib.Path, words: str
) -> None:
    paths = [tmp_path / name for name in ("database.csv", "api.csv")]
    expected = ratekit(*f"report -o {paths[0]} {words}".split())
    answer = ask(ratekit, url, f"report -o {paths[1]} {words}")
    assert (expected.code, answer.code) == (0, 0)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert first.count(b"\n") > 1


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--scope b2 --granularity hour",
        "--metric volume --timezone Asia/Kathmandu",
        "--month 2026-01",
    ],
)
def test_charges_over_the_api_equal_those_of_the_database(
    ratekit: Shell, parts: Parts, url: str, tmp_path: pathlib.Path, words: str
) -> None:
    parts.conf.set_override("currency", "EUR", "rating")
    configure(ratekit.config, "rating", "currency = EUR")
    entry = "{unit: x, extra_args: {resource_type: x}}"
    metrics = f"metrics: {{instance: {entry}, volume: {entry}}}"
    ratekit.config.with_name("metrics.yml").write_text(metrics)
    paths = [tmp_path / name for name in ("database.csv", "api.csv")]
    expected = ratekit(*f"export focus -o {paths[0]} {words}".split())
    answer = ask(ratekit, url, f"export focus -o {paths[1]} {words}")
    assert (expected.code, answer.code) == (0, 0), answer.err
    assert paths[0].read_bytes() == paths[1].read_bytes()
    if "01" in words:
        assert answer.err.splitlines()[1] == "ratekit: 0 charges of 0 frames, 0"
    else:
        assert answer.err == expected.err
        assert "not final" in answer.err


class Ending(Failing):
    """Reports whose frames end in an error, although all else can be read."""

    def count_frames(self, selection: Selection) -> int:
        """Return a number that is never reached."""
        return 1_000

    def scopes(self, ids: AllScopes | frozenset[str]) -> Sequence[StateRow]:
        """Return the scopes."""
        return self._inner.scopes(ids)


@pytest.fixture
def failing(ratekit: Shell, parts: Parts) -> Parts:
    """The parts of an API whose database fails after more charges than are read at first."""
    parts.conf.set_override("currency", "EUR", "rating")
    ratekit.config.with_name("metrics.yml").write_text(
        "metrics: {instance: {unit: x, extra_args: {resource_type: x}}}"
    )
    reports: Any = Ending(parts.storage.reports, after=500)
    return dataclasses.replace(parts, storage=dataclasses.replace(parts.storage, reports=reports))


@pytest.mark.parametrize("chunks", [True, False])
def test_an_export_that_ends_in_the_middle_is_no_file(
    ratekit: Shell, failing: Parts, tmp_path: pathlib.Path, chunks: bool
) -> None:
    # Without chunks, a connection ends in the middle as it does in the end.
    with serve_in_chunks(failing) if chunks else serve(failing) as url:
        answer = ask(ratekit, url, f"export focus --granularity hour -o {tmp_path}/x.csv")
    assert (answer.code, answer.out) == (1, "")
    expected = r"ratekit: the API's answer has \d+ of 1,000 frames: it ends in the middle, or .*"
    if chunks:
        expected = "ratekit: the API's answer ends in the middle"
    assert re.fullmatch(expected, answer.err.splitlines()[-1])
    assert not list(tmp_path.glob("*x.csv*"))


@contextlib.contextmanager
def serve_in_chunks(parts: Parts) -> Iterator[str]:
    """Serve an API as ratekit-api does; yield its URL."""
    wsgi = application.build(parts, routes.OPERATIONS, identify)
    server = waitress.create_server(wsgi, host="127.0.0.1", port=0, threads=2)
    for port in test_dataframes.serve(server):
        yield f"http://127.0.0.1:{port}"


def test_what_the_api_does_not_export_is_one_line(
    ratekit: Shell, url: str, tmp_path: pathlib.Path
) -> None:
    answer = ask(ratekit, url, f"export focus -o {tmp_path}/x.parquet")
    assert (answer.code, answer.err) == (
        2, "ratekit: a Parquet file needs the database; over the API write a .csv file\n",
    )  # fmt: skip
    answer = ask(ratekit, url, f"export focus -o {tmp_path}/x.csv")
    assert answer.code == 2
    [line] = answer.err.splitlines()
    assert "409: [rating] currency: FOCUS needs a currency code" in line
    assert not list(tmp_path.glob("*x.csv*"))


FIELDS = [
    "scope list",
    "scope list --all -f json",
    "scope show a1",
    "scope show a1 -f json",
    "scope show b2 --periods 100 -f yaml",
    "quote --service instance --label flavor_name=m1.small -f json",
    "quote --service instance --label flavor_name=m1.small",
    "quote --service instance --qty 3 --share 1/3 --null-label image --at 2026-03-01 -f json",
    "quote --service instance --scope a1 --label flavor_name=m1.small -f json",
    f"explain {FRAME} -f json",
    f"explain {FRAME}",
    f"explain {FRAME} --offline -f json",
    f"explain {FRAME} --offline --label flavor_name=m1.small --null-label image -f json",
]


@pytest.fixture
def priced(storage: Storage, usage: None) -> None:
    """Rules that match the usage, some with whole costs, which JSON writes like counts."""
    rules: list[Rule] = [
        MappingRule(FLAVOR, "m1.small", Terms(Decimal(2), CostType.FLAT, "uptime")),
        MappingRule(FLAVOR, "m1.small", Terms(Decimal("0.5"), CostType.FLAT, scope="a1")),
        MappingRule(RuleTarget("instance", "image"), None, Terms(Decimal(3), CostType.RATE)),
        ThresholdRule(RuleTarget("instance"), Decimal(1), Terms(Decimal("0.25"), CostType.FLAT)),
    ]
    storage.rules.change(0, [], rules, given.note())


@pytest.mark.parametrize("words", FIELDS)
def test_all_other_commands_show_the_same(
    ratekit: Shell, priced: None, url: str, words: str
) -> None:
    expected = ratekit(*words.split())
    assert expected.code == 0, expected.err
    answer = ask(ratekit, url, words)
    assert answer.code == 0, answer.err
    assert answer.out == expected.out


PLANS = [
    "FILE",
    "FILE -f json",
    "FILE --since 2026-03-01",
    "FILE --since 2026-03-01 --all",
    "FILE --since 2026-03-01 -f json",
    "FILE --at 2026-03-01T01:00 --retroactive -f json",
    "FILE --exit-code",
]


@pytest.fixture
def rules(tmp_path: pathlib.Path) -> str:
    """A file of rules, one of which has no effect yet."""
    path = tmp_path / "rules.yml"
    path.write_text(
        "services:\n  instance:\n    mappings:\n      - {cost: 4, type: flat}\n"
        "    fields:\n      image:\n        mappings:\n"
        "          - {value: null, cost: 3, type: rate}\n"
        "  volume:\n    mappings:\n      - {cost: 1, type: flat, start: 2026-05-01T00:30:00Z}\n"
    )
    return str(path)


@pytest.mark.parametrize("words", PLANS)
def test_a_plan_over_the_api_equals_that_of_the_database(
    ratekit: Shell, priced: None, url: str, rules: str, words: str
) -> None:
    command = f"hashmap plan {words.replace('FILE', rules)}"
    expected = ratekit(*command.split())
    assert expected.code in {0, 3}, expected.err
    assert ask(ratekit, url, command) == expected


def test_a_wrong_file_is_not_sent(ratekit: Shell, url: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text("services:\n  instance:\n    mapping: []\n")
    answer = ask(ratekit, url, f"hashmap plan {path}")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"ratekit: {path}:3: ")


def test_a_tenant_quotes_and_explains_his_own(ratekit: Shell, priced: None, parts: Parts) -> None:
    words = "quote --service instance --label flavor_name=m1.small -f json"
    with serve(parts, "a1") as url:
        quoted = ask(ratekit, url, words)
        explained = ask(ratekit, url, f"explain {FRAME} -f json")
        refusals = [
            ask(ratekit, url, "scope list"),
            ask(ratekit, url, f"{words} --scope b2"),
            ask(ratekit, url, f"explain {FRAME.replace('a1', 'b2')}"),
        ]
    assert quoted.json() == ratekit(*words.split(), "--scope", "a1").json()
    assert explained.json()["Price"] == "0.1"
    for refusal in refusals:
        assert (refusal.code, refusal.out) == (2, "")
        assert "403" in refusal.err


def test_options_may_stand_after_the_command(ratekit: Shell, url: str) -> None:
    answer = ask(ratekit, url, "summary -f json")
    elsewhere = dataclasses.replace(ratekit, configured=False)
    after = elsewhere("summary", "-f", "json", "--os-auth-type", "none", "--os-endpoint", url)
    assert after.out == answer.out


def test_a_tenant_sees_his_own_summary(ratekit: Shell, parts: Parts) -> None:
    with serve(parts, "a1") as url:
        answer = ask(ratekit, url, "summary -f json")
    assert answer.code == 0, answer.err
    rows = answer.json()
    expected = ratekit("summary", "--scope", "a1", "-f", "json").json()
    assert {row["Scope"] for row in rows} == {"a1"}
    assert [row["Price"] for row in rows] == [row["Price"] for row in expected]


def test_a_tenant_names_his_own_scope_by_its_id(ratekit: Shell, parts: Parts) -> None:
    words = "summary --groupby metric -f json --scope"
    with serve(parts, "a1") as url:
        own, name, foreign = (
            ask(ratekit, url, f"{words} {scope}") for scope in ("a1", "nobody", "b2")
        )
    assert own == ratekit(*words.split(), "a1")
    for answer in (name, foreign):
        assert (answer.code, answer.json()) == (0, [])
        assert answer.err.endswith("; this user may not list scopes, so --scope takes only IDs\n")


def test_a_misspelt_metric_is_told(ratekit: Shell, url: str, config: pathlib.Path) -> None:
    config.with_name("metrics.yml").write_text(
        "metrics: {cpu: {unit: instance, alt_name: instance, extra_args: {aggregation_method: max, "
        "resource_type: instance}}}",
        encoding="utf-8",
    )
    answer = ask(ratekit, url, "summary --metric instanc -f json")
    assert (answer.code, answer.json()) == (0, [])
    assert answer.err.startswith(
        "ratekit: warning: --metric: no metric that is rated now is called 'instanc' (did you "
        "mean 'instance'?)\n"
    )
    # It was rated once.
    answer = ask(ratekit, url, "summary --metric volume -f json")
    assert len(answer.json()) == 1
    assert "is called 'volume'; known metrics: instance\n" in answer.err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("summary --groupby type", 2, "--groupby: 'type' is no label in the API"),
        ("summary --begin 2020-01-01", 2, "expected a time range of at most 400 days"),
        ("scope deactivate a1", 2, "this needs the database"),
        ("scope reset --to 2026-03-01 a1", 2, "this needs the database"),
        ("frame list", 2, "this needs the database"),
        ("report -o bill.html", 2, "a page needs the database; over the API write a .csv file"),
        ("status", 2, "this needs the database"),
        ("reprocess list", 2, "this needs the database"),
        ("hashmap history", 2, "this needs the database"),
    ],
)
def test_what_the_api_does_not_offer_is_one_line(
    ratekit: Shell, url: str, words: str, code: int, text: str
) -> None:
    answer = ask(ratekit, url, words)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith("ratekit: ")
    assert answer.err.count("\n") == 1
    assert text in answer.err


def test_an_api_that_is_away_is_tried_later(ratekit: Shell, parts: Parts) -> None:
    with serve(parts) as url:
        pass
    answer = ask(ratekit, url, "summary")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("ratekit: the API does not answer: ")
    assert answer.err.count("\n") == 1


def test_options_that_do_not_fit_together_are_one_line(ratekit: Shell) -> None:
    elsewhere = dataclasses.replace(ratekit, configured=False)
    for words in (["--os-cloud", "nowhere"], ["--os-auth-url", "http://127.0.0.1:1/v3"]):
        answer = elsewhere(*words, "summary")
        assert answer.code == 2
        assert answer.out == ""
        assert answer.err.count("\n") == 1, answer.err
