"""kill -9 of the processor, at any moment, charges no period twice and skips none."""

from __future__ import annotations

import random

import pytest

from tests.databases import SERVERS
from tests.faults.conftest import FULL, LONG, SHORT, NewTrial, Truth
from tests.faults.ledger_content import Difference
from tests.faults.relay import Moment
from tests.faults.trial import Processor
from tests.faults.wire import Doing

#: Seconds after which a processor is killed: from its first connection on, to about the end of
#: an undisturbed catch-up.
EARLIEST, LATEST = 0.8, 4.0
#: By then no catch-up is at its end.
SURE = 2.0
BACKENDS = SERVERS if FULL else SERVERS[:1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(10 if FULL else 3))
def test_a_catch_up_that_is_killed_again_and_again_ends_as_if_it_never_was(
    seed: int, backend: str, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(LONG, backend=backend)
    moments = random.Random(seed)
    killed, code = 0, None
    while code != 0:
        processor = trial.start("--once")
        latest = LATEST if killed else SURE
        code = processor.ended(moments.uniform(EARLIEST, latest) if killed < 20 else 120)
        processor.kill()
        killed += code is None
        assert code in (None, 0), processor.said()
    assert killed >= 1
    assert trial.once() == 0
    assert trial.difference(truth(LONG)) == Difference()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("doing", "moment"),
    [
        (Doing.BULK, Moment.MIDDLE),
        (Doing.COMMIT, Moment.BEFORE),
        (Doing.COMMIT, Moment.UNANSWERED),
        (Doing.COMMIT, Moment.ANSWERED),
    ],
)
def test_a_processor_killed_at_a_commit_charges_once(
    doing: Doing, moment: Moment, backend: str, new_trial: NewTrial, truth: Truth
) -> None:
    trial = new_trial(SHORT, backend=backend)
    running: list[Processor] = []
    trial.relay.plan(doing, moment, first=2, act=lambda _: running[0].kill())
    running.append(trial.start("--once"))
    assert running[0].ended() == -9, running[0].said()
    assert trial.relay.injected == 1
    half = trial.content()
    assert 0 < len(half.frames) < len(truth(SHORT).frames)
    assert trial.once() == 0
    assert trial.difference(truth(SHORT)) == Difference()
