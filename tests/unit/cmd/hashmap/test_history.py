"""ratekit hashmap history: who changed what, and when."""

from __future__ import annotations

import pathlib
from decimal import Decimal

import pytest

from ratekit.admin.rule_editing import rule, target
from ratekit.admin.rule_editing.editor import Author, Edit, Editor
from ratekit.admin.rule_editing.rule_fields import RuleFields
from ratekit.domain.rules.public_id import IdKind
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

FIRST = "services: {a: {mappings: [{cost: 1, type: flat}]}}"


@pytest.fixture
def file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A rule file of an operator who uses sudo."""
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.setattr("socket.gethostname", lambda: "control1")
    path = tmp_path / "hashmap.yml"
    path.write_text(FIRST)
    return path


def test_every_change_is_listed_newest_first(
    ratekit: Shell, file: pathlib.Path, monkeypatch: pytest.MonkeyPatch, usage: None
) -> None:
    assert ratekit("hashmap", "history", "-f", "json").json() == []
    assert ratekit("hashmap", "apply", "--yes", "--comment", "Ticket 7", str(file)).code == 0
    file.write_text(FIRST.replace("1", "2"))
    monkeypatch.delenv("SUDO_USER")
    monkeypatch.setenv("LOGNAME", "bob")
    ratekit.now = given.hour(38.75)
    argv = ("--yes", "--retroactive", "--at", "2026-03-02T13:00", str(file))
    assert ratekit("hashmap", "apply", *argv).code == 0
    first = {
        "Version": 1,
        "Made at": "2026-03-02T12:30:00Z",
        "Made by": "ann@control1",
        "From": "2026-03-02T13:00:00Z",
        "Retroactive": False,
        "Opened": 1,
        "Closed": 0,
        "Comment": "Ticket 7",
    }
    second = {
        "Version": 2,
        "Made at": "2026-03-02T14:45:00Z",
        "Made by": "bob@control1",
        "From": "2026-03-02T13:00:00Z",
        "Retroactive": True,
        "Opened": 1,
        "Closed": 1,
        "Comment": None,
    }
    assert ratekit("hashmap", "history", "-f", "json").json() == [second, first]
    assert ratekit("hashmap", "history", "--limit", "1", "-f", "json").json() == [second]


def test_one_change_is_shown_like_a_diff(ratekit: Shell, file: pathlib.Path) -> None:
    for cost in "123":
        file.write_text(FIRST.replace("1", cost))
        assert ratekit("hashmap", "apply", "--yes", str(file)).code == 0
    assert ratekit("hashmap", "history", "2", "-f", "json").json() == [
        {"Change": "-", "Rule": "a flat 1 (withdrawn before its start)"},
        {"Change": "+", "Rule": "a flat 2"},
    ]
    assert ratekit("hashmap", "history", "1", "-f", "value").out == "+ a flat 1\n"


def test_an_edit_by_the_api_is_listed_like_all_others(ratekit: Shell, storage: Storage) -> None:
    editor = Editor(storage, Calendar(given.HOUR, wait_periods=2), [], {}, "metrics.yml")
    by_ann, by_bob = (
        Edit(Author("7", "ann"), given.hour(1)),
        Edit(Author("8", "bob"), given.hour(2)),
    )
    service = target.create_service(editor, "cpu", by_ann).view
    fields: RuleFields = {"service_id": service.id, "cost": Decimal(1), "description": "why"}
    rule.create(editor, IdKind.MAPPING, fields, by_bob)
    rows = ratekit("hashmap", "history", "-f", "json").json()
    keys = ("Made at", "Made by", "From", "Opened", "Closed", "Comment")
    assert [[row[key] for key in keys] for row in rows] == [
        ["2026-03-01T02:00:00Z", "8 (bob)", "the beginning", 1, 0, "why"],
        ["2026-03-01T01:00:00Z", "7 (ann)", None, 0, 0, "service cpu created"],
    ]
    assert ratekit("hashmap", "history", "2", "-f", "value").out == "+ cpu flat 1\n"
    assert "no rule was changed" in ratekit("hashmap", "history", "1").err


@pytest.mark.parametrize("version", ["2", "999"])
def test_an_unknown_version_is_one_line_and_2(
    ratekit: Shell, file: pathlib.Path, version: str
) -> None:
    ratekit("hashmap", "apply", "--yes", str(file))
    answer = ratekit("hashmap", "history", version)
    assert (answer.code, answer.err) == (
        2,
        f"ratekit: no recorded change led to version {version} of the price rules; see ratekit "
        "hashmap history\n",
    )


@pytest.mark.parametrize("argv", [("0",), ("x",), ("--limit", "0")])
def test_a_wrong_number_is_a_line(ratekit: Shell, argv: tuple[str, ...]) -> None:
    answer = ratekit("hashmap", "history", *argv)
    assert answer.code == 2
    assert f"expected a whole number of at least 1, not '{argv[-1]}'" in answer.err
