"""``ratekit scope show`` over an API shows what it shows of the database."""

from __future__ import annotations

import dataclasses

import pytest

from ratekit.api.parts import Parts
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.interfaces import Storage
from tests.api_server import serve
from tests.contract import given
from tests.unit.cmd.conftest import Shell, ask


@pytest.fixture
def trouble(storage: Storage, usage: None) -> None:
    """Scopes with a gap, with an exclusion, failing, deactivated, and no longer listed."""
    given.list_scopes(storage, "gap", "gone", now=given.hour(0))
    # Only b2 and what follows is listed now, so that the others are behind.
    states = given.list_scopes(storage, "odd", "off", now=given.hour(3))
    exclusion = Exclusion("odd", "cpu", "vm-1", "it has two units", "delete one; see <doc>")
    storage.ledger.commit(
        given.batch(
            states,
            given.build_series("odd", [("1", "12345678901234567890.0000000000000000000000000001")]),
            metrics=("cpu", "instance"),
            exclusions=[exclusion],
        )
    )
    storage.ledger.postpone(
        given.list_scopes(storage, "odd", now=given.hour(4)),
        "Gnocchi\n\x1b[31mfailed",
        given.hour(40),
    )
    storage.scopes.deactivate("off", given.hour(5.25))
    given.list_scopes(storage, "gap", "odd", now=given.hour(30), resume=given.hour(30))


@pytest.mark.parametrize("scope", ["a1", "b2", "gap", "gone", "odd", "off", "'name of odd'"])
@pytest.mark.parametrize("form", ["-f json", "-f yaml --periods 1", "--periods 100", "-f shell"])
def test_shows_the_same(ratekit: Shell, trouble: None, url: str, scope: str, form: str) -> None:
    words = ["scope", "show", scope.strip("'"), *form.split()]
    expected = ratekit(*words)
    assert expected.code == 0, expected.err
    elsewhere = dataclasses.replace(ratekit, configured=False)
    answer = elsewhere("--os-auth-type", "none", "--os-endpoint", url, *words)
    assert (answer.code, answer.out) == (0, expected.out), answer.err


def test_the_trouble_is_shown(ratekit: Shell, trouble: None, url: str) -> None:
    shown = {
        scope: ask(ratekit, url, f"scope show {scope} -f json").json()
        for scope in ("gap", "odd", "off", "gone")
    }
    assert shown["gap"]["Gaps"]
    assert shown["odd"]["Exclusions"][0]["remedy"] == "delete one; see <doc>"
    assert shown["odd"]["Price this month"].endswith("0000000001")
    assert shown["odd"]["State"] == "failing"
    assert (shown["off"]["State"], shown["off"]["Lag"]) == ("deactivated", None)


def test_an_unknown_scope_is_one_line_with_a_hint(ratekit: Shell, usage: None, url: str) -> None:
    answer = ask(ratekit, url, "scope show name-of-a1")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == ratekit("scope", "show", "name-of-a1").err
    assert "did you mean 'name of a1'?" in answer.err


@pytest.mark.parametrize(
    ("limits", "text"),
    [({"rows": 100}, "periods: 51 of 2 metrics are more than 100 states")],
)
def test_more_than_the_api_shows_is_one_line(
    ratekit: Shell, usage: None, parts: Parts, limits: dict[str, int], text: str
) -> None:
    limited = dataclasses.replace(parts.limits, rows=limits["rows"])
    with serve(dataclasses.replace(parts, limits=limited)) as url:
        assert ask(ratekit, url, "scope show a1 --periods 50").code == 0
        refusals = [ask(ratekit, url, f"scope show a1 --periods {count}") for count in (51, 9601)]
    assert [(answer.code, answer.out, answer.err.count("\n")) for answer in refusals] == [
        (2, "", 1)
    ] * 2
    assert text in refusals[0].err
    assert "expected at most 400 days of them ([api] max_range)" in refusals[1].err


def test_a_tenant_may_not(ratekit: Shell, usage: None, parts: Parts) -> None:
    with serve(parts, "a1") as url:
        answer = ask(ratekit, url, "scope show a1")
    assert (answer.code, answer.out) == (2, "")
    assert "403: scope:get_state is not allowed for you" in answer.err
