"""SIGKILL of the processor at any moment charges no period twice and skips none."""

from __future__ import annotations

import random

import pytest

from tests.databases import SERVERS
from tests.faults.conftest import FULL, LONG, SHORT, ExpectedContent, NewTrial
from tests.faults.ledger_content import Difference
from tests.faults.relay import Moment
from tests.faults.trial import Processor
from tests.faults.wire import MessageKind

#: Seconds after which a processor is killed: from about its first connection to about the end of
#: a run without faults.
EARLIEST, LATEST = 0.8, 4.0
#: By then no run has ended.
BEFORE_THE_END = 2.0
BACKENDS = SERVERS if FULL else SERVERS[:1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(10 if FULL else 1))
def test_a_processor_that_is_killed_repeatedly_rates_as_if_it_never_was(
    seed: int, backend: str, new_trial: NewTrial, expected_content: ExpectedContent
) -> None:
    trial = new_trial(LONG, backend=backend)
    moments = random.Random(seed)
    killed, code = 0, None
    while code != 0:
        processor = trial.start("--once")
        latest = LATEST if killed else BEFORE_THE_END
        code = processor.wait(moments.uniform(EARLIEST, latest) if killed < 20 else 120)
        processor.kill()
        killed += code is None
        assert code in (None, 0), processor.log_text()
    assert killed >= 1
    assert trial.once() == 0
    assert trial.difference(expected_content(LONG)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("kind", "moment"),
    [
        (MessageKind.BULK, Moment.MIDDLE),
        (MessageKind.COMMIT, Moment.BEFORE),
        (MessageKind.COMMIT, Moment.UNANSWERED),
        (MessageKind.COMMIT, Moment.ANSWERED),
    ],
)
def test_a_processor_killed_at_a_commit_charges_once(
    kind: MessageKind,
    moment: Moment,
    backend: str,
    new_trial: NewTrial,
    expected_content: ExpectedContent,
) -> None:
    trial = new_trial(SHORT, backend=backend)
    running: list[Processor] = []
    trial.relay.plan(kind, moment, first=2, action=lambda _: running[0].kill())
    running.append(trial.start("--once"))
    assert running[0].wait() == -9, running[0].log_text()
    assert trial.relay.injections == 1
    half = trial.content()
    assert 0 < len(half.frames) < len(expected_content(SHORT).frames)
    assert trial.once() == 0
    assert trial.difference(expected_content(SHORT)) == Difference()
