"""Each recipe of the cookbook, as it is written there."""

from __future__ import annotations

import datetime
import pathlib
import re
import shlex
from collections.abc import Iterator
from decimal import Decimal

import pytest

from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

PAGE = pathlib.Path(__file__).parents[3] / "doc/cookbook.rst"
IDS = ("5f1c2a3b4d5e6f708192a3b4c5d6e7f8", "0a1b2c3d4e5f60718293a4b5c6d7e8f9")
OCTOBER, LARGE, DECEMBER = (
    datetime.datetime(2026, month, day, tzinfo=datetime.UTC)
    for month, day in ((10, 1), (11, 15), (12, 1))
)
COSTS = {"m1.small": "0.02", "m1.large": "0.08"}
_BLOCK = re.compile(
    r"^\.\. code-block:: (console|yaml)\n((?: +:.*\n)*)\n((?:(?: {3}.*)?\n)+)", re.M
)


def blocks() -> Iterator[tuple[str, str, str]]:
    """Yield language, options and text of each block."""
    for match in _BLOCK.finditer(PAGE.read_text(encoding="utf-8") + "\n"):
        lines = (line.removeprefix("   ") for line in match[3].rstrip().splitlines())
        yield match[1], match[2], "\n".join(lines) + "\n"


@pytest.fixture
def cloud(ratekit: Shell, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The projects that the page describes, rated by prices without a discount."""
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.chdir(ratekit.config.parent)
    ratekit.now = DECEMBER + datetime.timedelta(days=1, minutes=5)
    ratekit.width = 80
    target = RuleTarget("instance", "flavor_name")
    rules = [
        MappingRule(target, flavor, Terms(Decimal(cost), CostType.FLAT, group="uptime"))
        for flavor, cost in COSTS.items()
    ]
    storage.rules.change(0, [], rules, given.note(OCTOBER))
    scopes = [
        Scope(id_, name) for id_, name in zip(IDS, ("customer-17", "customer-18"), strict=True)
    ]
    states = storage.ledger.observe(scopes, OCTOBER, OCTOBER, OCTOBER).states
    storage.ledger.commit(
        given.batch(
            states,
            usage(IDS[0], "m1.small", OCTOBER),
            usage(IDS[0], "m1.large", LARGE),
            usage(IDS[1], "m1.small", OCTOBER),
            periods=given.window((DECEMBER - OCTOBER) // given.HOUR, OCTOBER),
            rules=1,
        )
    )


def usage(scope: str, flavor: str, begin: datetime.datetime) -> RatedSeries:
    """Return a server that runs until December."""
    hours = (DECEMBER - begin) // given.HOUR
    number = {"m1.small": "3", "m1.large": "4"}[flavor]
    return given.build_series(
        scope,
        [("1", COSTS[flavor])] * hours,
        begin=begin,
        labels={"id": f"7d0b7e1c-5a3f-4e21-9f10-0d8f5ad2c14{number}"},
        metadata={"flavor_name": flavor},
    )


def test_every_recipe_prints_what_the_page_says(ratekit: Shell, cloud: None) -> None:
    commands = 0
    for language, options, text in blocks():
        if language == "yaml":
            (name,) = re.findall(r":caption: (\S+)", options)
            pathlib.Path(name).write_text(text)
            continue
        for chunk in text.split("$ ")[1:]:
            command, _, expected = chunk.partition("\n")
            program, *arguments = shlex.split(command)
            answer = ratekit(*arguments)
            assert (program, answer.code, answer.err) == ("ratekit", 0, "")
            assert answer.out.rstrip() == expected.rstrip(), command
            commands += 1
    assert commands >= 10


def test_no_line_of_the_page_is_wider_than_the_terminal() -> None:
    for _, _, text in blocks():
        for line in text.splitlines():
            assert not line.startswith(("+-", "| ", "Total")) or len(line) <= 80
