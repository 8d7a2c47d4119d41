"""Asking CloudKitty."""

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

from ratekit.domain.rules.rule import Rule, ThresholdRule
from ratekit.domain.series import Series

ROOT = pathlib.Path(__file__).parents[2]


class Cloudkitty:
    """CloudKitty's hashmap in a process of its own, with its global configuration and context."""

    def __init__(self, questions: IO[str], answers: IO[str]) -> None:
        self._questions = questions
        self._answers = answers

    def prices(
        self,
        rules: Sequence[Rule],
        series: Sequence[Series],
        before: Decimal = Decimal(0),
        stored: bool = False,
    ) -> list[list[Decimal | str]]:
        """Return for each series and point the unrounded price, or the error's name.

        :param before: what each point costs already
        :param stored: whether rules go through CloudKitty's database
        """
        question = {
            "rules": [_rule(rule) for rule in rules],
            "series": [_series(one) for one in series],
            "before": str(before),
            "stored": stored,
        }
        print(json.dumps(question), file=self._questions, flush=True)
        answer = self._answers.readline()
        assert answer, "CloudKitty's process is gone; what it said is above"
        return [[_answer(text) for text in one] for one in json.loads(answer)]


@contextlib.contextmanager
def running() -> Iterator[Cloudkitty]:
    """Yield a CloudKitty; skips where it is not installed, and fails where CI is set."""
    if importlib.util.find_spec("cloudkitty") is None:
        missing = "CloudKitty is not installed: pip install ratekit[differential]"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    command = [sys.executable, "-W", "ignore", "-m", "tests.differential.worker"]
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
        "value": None if isinstance(rule, ThresholdRule) else rule.value,
        "level": str(rule.level) if isinstance(rule, ThresholdRule) else None,
        "type": terms.type.value,
        "cost": str(terms.cost),
        "group": terms.group,
        "scope": terms.scope,
        "start": terms.start and terms.start.isoformat(),
        "end": terms.end and terms.end.isoformat(),
    }


def _series(series: Series) -> dict[str, Any]:
    return {
        "scope": series.scope,
        "metric": series.metric,
        "groupby": dict(series.groupby),
        "metadata": dict(series.metadata),
        "points": [(begin.isoformat(), str(quantity)) for begin, quantity in series.points],
    }


def _answer(text: str) -> Decimal | str:
    return text if text.isalpha() else Decimal(text)
