"""Prices from CloudKitty."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import IO, Any

import pytest

from ratekit.domain.rules.rule import MappingRule, Rule, ThresholdRule
from ratekit.domain.series import Series

ROOT = pathlib.Path(__file__).parents[2]


class Cloudkitty:
    """CloudKitty's hashmap in a separate process, because its configuration is global."""

    def __init__(self, requests: IO[str], responses: IO[str]) -> None:
        self._requests = requests
        self._responses = responses

    def prices(
        self,
        rules: Sequence[Rule],
        series: Sequence[Series],
        before: Decimal = Decimal(0),
        stored: bool = False,
    ) -> list[list[Decimal | str]]:
        """Return the price of each point of each series, not rounded, or the name of an error.

        :param before: price of each point by previous modules
        :param stored: whether CloudKitty reads the rules from its database
        """
        request = {
            "rules": [_rule(rule) for rule in rules],
            "series": [_series(member) for member in series],
            "before": str(before),
            "stored": stored,
        }
        print(json.dumps(request), file=self._requests, flush=True)
        response = self._responses.readline()
        assert response, "CloudKitty's process has ended; see its output above"
        return [[_read_price(text) for text in texts] for texts in json.loads(response)]


@contextlib.contextmanager
def start() -> Iterator[Cloudkitty]:
    """Start CloudKitty; without it skip the test or, if CI is set, fail."""
    if importlib.util.find_spec("cloudkitty") is None:
        message = "CloudKitty is not installed: pip install ratekit-openstack[differential]"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    command = [sys.executable, "-W", "ignore", "-m", "tests.differential.cloudkitty_server"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Cloudkitty(process.stdin, process.stdout)


def _rule(rule: Rule) -> dict[str, Any]:
    terms = rule.terms
    return {
        "service": rule.target.metric,
        "field": rule.target.label,
        "value": None if isinstance(rule, ThresholdRule) else _value(rule),
        "level": str(rule.level) if isinstance(rule, ThresholdRule) else None,
        "type": terms.type.value,
        "cost": str(terms.cost),
        "group": terms.group,
        "scope": terms.scope,
        "start": terms.start and terms.start.isoformat(),
        "end": terms.end and terms.end.isoformat(),
    }


def _value(rule: MappingRule) -> str | None:
    """Return a mapping's value; CloudKitty compares a null label as text."""
    return "None" if rule.target.label is not None and rule.value is None else rule.value


def _series(series: Series) -> dict[str, Any]:
    return {
        "scope": series.scope,
        "metric": series.metric,
        "groupby": dict(series.groupby),
        "metadata": dict(series.metadata),
        "points": [(begin.isoformat(), str(quantity)) for begin, quantity in series.points],
    }


def _read_price(text: str) -> Decimal | str:
    return text if text.isalpha() else Decimal(text)
