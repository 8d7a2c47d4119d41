"""The cycle, on fakes: what is rated, what is put off, and that nothing is charged twice."""

import dataclasses
import datetime
import itertools
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

import pytest

from ratekit import errors
from ratekit.cmd.output.progress import log_line
from ratekit.domain.period import Window
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.schedule.partition import Partition
from ratekit.domain.scope import Scope
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.interfaces import CommitResult, RatedBatch, RatingModule
from ratekit.processing.cycle import CycleResult, Progress, RunContext
from ratekit.processing.orchestrator import Orchestrator
from ratekit.processing.rater import Rater, Settings
from tests.fakes import Asked, FakeCollector, FakeFetcher, FakeLedger, FakeModule, FakeRules

HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
#: Hours 0 to 9 of the month are due at this moment, with two periods of patience.
NOW = datetime.datetime(2026, 1, 1, 11, 0, 5, tzinfo=datetime.UTC)
MONTH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DUE = 10
BACK_END_DOWN = errors.TryLater("Gnocchi does not answer")
GAVE_UP = errors.TryLater("Gnocchi answered 504")
REFUSED = errors.OperatorError("Gnocchi refused with 400: Metrics cannot be aggregated")

Failure = Callable[[Asked], Exception | None]


def metric(name: str) -> Metric:
    return Metric(name, name, "u", Fraction(1), Fraction(0), (), (), Mutate.NONE, None)


def one_after_the_other(
    function: Callable[[Metric], list[Series]], metrics: Sequence[Metric]
) -> list[list[Series]]:
    return [function(one) for one in metrics]


class Office:
    """An orchestrator on fakes, and a clock that tests move.

    :ivar stop_after: batches after which the pass is told to stop
    """

    def __init__(
        self,
        *scopes: str,
        limit: int = 96,
        modules: Sequence[RatingModule] = (),
        ledger: type[FakeLedger] = FakeLedger,
        collector: FakeCollector | None = None,
        start: str = "month",
        share: Partition | None = None,
    ) -> None:
        self.now = NOW
        self.chance = 0.0
        self.fetcher = FakeFetcher(*scopes)
        self.collector = collector or FakeCollector()
        self.rules = FakeRules()
        self.ledger = ledger(self.rules)
        self.told: list[Progress] = []
        self.stop_after = 1000
        self.settings = Settings(
            metrics=[metric("cpu"), metric("disk")],
            for_each_metric=one_after_the_other,
            batch_seconds=30.0,
            batch_frames=10**6,
            backoff=Backoff(MINUTE, HOUR),
        )
        rater = Rater(
            self.collector,
            modules or [FakeModule(2)],
            self.ledger,
            self.rules,
            self.settings,
            limit,
        )
        context = RunContext(
            clock=lambda: self.now,
            report=self.told.append,
            should_continue=lambda: len(self.told) < self.stop_after,
            chance=lambda: self.chance,
        )
        self.orchestrator = Orchestrator(
            self.fetcher.scopes,
            self.ledger,
            rater,
            Calendar(HOUR, 2),
            start,
            share or Partition(),
            context,
        )

    def rate(self, patient: bool = True) -> CycleResult:
        return self.orchestrator.run_cycle(wait_for_retry=patient)

    def fail(self, failure: Failure) -> None:
        self.collector.failures.append(failure)

    def mend(self) -> None:
        self.collector.failures.clear()

    def rated(self) -> dict[str, int]:
        """Hours of the month that each scope has been rated for."""
        states = self.ledger.states.items()
        return {id_: (state.rated_until - MONTH) // HOUR for id_, state in states}

    def rest(self, scope: str) -> datetime.timedelta:
        """How long a scope is left alone from now on."""
        retry_at = self.ledger.states[scope].retry_at
        assert retry_at is not None
        return retry_at - self.now


def always(error: Exception) -> Failure:
    return lambda asked: error


def about(scope: str, error: Exception) -> Failure:
    """Fail each question that is about ``scope``, whoever else it is about."""
    return lambda asked: error if scope in asked.scopes else None


# What is rated ----------------------------------------------------------------------------


def test_a_cycle_catches_up_with_all_that_is_due() -> None:
    office = Office("a", "b", "c", limit=4)
    assert office.rate() == CycleResult(frames=3 * DUE * 2, periods=3 * DUE, failed_scopes=0)
    assert office.rated() == {"a": DUE, "b": DUE, "c": DUE}
    assert set(office.ledger.frames) == {
        (scope, name, MONTH + hour * HOUR)
        for scope in "abc"
        for name in ("cpu", "disk")
        for hour in range(DUE)
    }


def test_nothing_is_collected_twice() -> None:
    office = Office("a", "b", "c", limit=4)
    office.rate()
    office.rate()
    asked = [
        (asked.metric, scope, begin)
        for asked in office.collector.asked
        for scope in asked.scopes
        for begin in asked.window.begins()
    ]
    assert len(asked) == len(set(asked)) == 2 * 3 * DUE


def test_when_nothing_is_due_nobody_is_asked() -> None:
    office = Office("a")
    office.rate()
    asked = len(office.collector.asked)
    assert office.rate() == CycleResult()
    assert len(office.collector.asked) == asked


def test_an_hour_later_one_more_period_is_rated_for_all_at_once() -> None:
    office = Office("a", "b")
    office.rate()
    office.now += HOUR
    office.rate()
    assert office.rated() == {"a": DUE + 1, "b": DUE + 1}
    assert [asked.scopes for asked in office.collector.asked[-2:]] == [("a", "b")] * 2


def test_a_batch_is_one_question_a_metric() -> None:
    office = Office("a", "b", "c")
    office.rate()
    assert [(asked.metric, asked.scopes) for asked in office.collector.asked] == [
        ("cpu", ("a", "b", "c")),
        ("disk", ("a", "b", "c")),
    ]


def test_a_silent_scope_advances_too() -> None:
    class Silent(FakeCollector):
        def collect(
            self, metric: Metric, window: Window, scopes: Collection[str]
        ) -> Iterator[Series]:
            return iter(())

    office = Office("a", "b", collector=Silent())
    assert office.rate() == CycleResult(frames=0, periods=2 * DUE, failed_scopes=0)
    assert office.rated() == {"a": DUE, "b": DUE}


def test_a_new_scope_starts_where_the_operator_says() -> None:
    office = Office("a", start="2026-01-01T04:30:00Z")
    office.rate()
    assert min(begin for _, _, begin in office.ledger.frames) == MONTH + 4 * HOUR


def test_progress_counts_down_to_nothing() -> None:
    office = Office("a", "b", limit=DUE)
    office.rate()
    assert [(one.scopes_left, one.periods_left) for one in office.told] == [(1, DUE), (0, 0)]
    assert [one.frames for one in office.told] == [2 * DUE, 2 * DUE]


# Scopes come and go -----------------------------------------------------------------------


def test_a_scope_no_longer_listed_is_rated_up_to_where_it_was_last_seen() -> None:
    office = Office("a", "b")
    office.rate()
    office.fetcher.listed = [Scope("b")]
    office.now += 24 * HOUR
    office.rate()
    # Last seen at 11:00:05, so hour 11 is its last.
    assert office.rated() == {"a": 12, "b": DUE + 24}
    office.rate()
    assert office.ledger.active == {"b"}


def test_a_scope_that_returns_is_not_charged_for_the_time_between() -> None:
    office = Office("a", "b")
    office.rate()
    listed, office.fetcher.listed = office.fetcher.listed, [Scope("b")]
    for _ in range(2):
        office.now += 24 * HOUR
        office.rate()
    office.fetcher.listed = listed
    office.rate()
    office.now += 5 * HOUR
    office.rate()
    hours = {(begin - MONTH) // HOUR for scope, _, begin in office.ledger.frames if scope == "a"}
    assert hours == {*range(12), *range(11 + 48, 11 + 48 + 4)}


def test_scopes_that_come_and_go_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ratekit")
    office = Office("a", "b")
    office.rate()
    office.rate()
    office.fetcher.listed = [Scope("b")]
    office.now += 24 * HOUR
    for _ in range(3):
        office.rate()
    messages = [text for text in caplog.messages if "scopes" in text]
    assert messages == [
        "new scopes: 2 (a, b)",
        "scopes that are no longer listed, rated to the end: 1 (a)",
    ]


def test_a_list_without_anybody_is_taken_for_a_mistake_and_changes_nothing() -> None:
    office = Office("a", "b")
    office.rate()
    office.fetcher.listed = []
    office.now += 5 * HOUR
    with pytest.raises(
        errors.OperatorError, match="the fetcher returned no scopes; assuming a misconfiguration"
    ):
        office.rate()
    office.fetcher.listed = [Scope("a"), Scope("b")]
    assert office.rate().periods == 2 * 5


def test_many_new_scopes_are_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ratekit")
    Office(*"abcdefg").rate()
    assert "new scopes: 7 (a, b, c, d, e and 2 more)" in caplog.messages


def test_when_the_fetcher_does_not_answer_nothing_happens() -> None:
    office = Office("a")
    office.fetcher.error = errors.TryLater("Keystone does not answer")
    with pytest.raises(errors.TryLater, match="Keystone"):
        office.rate()
    assert office.ledger.states == {}


# One bad apple ----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["a", "d", "h"])
def test_a_scope_that_is_refused_does_not_hold_up_the_others(bad: str) -> None:
    office = Office(*"abcdefgh")
    office.fail(about(bad, REFUSED))
    rest = NOW + MINUTE
    assert office.rate() == CycleResult(7 * DUE * 2, 7 * DUE, failed_scopes=1, retry_at=rest)
    assert office.rated() == {scope: 0 if scope == bad else DUE for scope in "abcdefgh"}
    assert office.ledger.errors == {bad: str(REFUSED)}


def test_a_failure_that_nobody_planned_for_does_not_hold_up_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = Office(*"abcd")
    office.fail(about("b", ZeroDivisionError("oops")))
    assert office.rate().failed_scopes == 1
    assert office.rated() == {"a": DUE, "b": 0, "c": DUE, "d": DUE}
    assert office.ledger.errors == {"b": "oops"}
    assert "unexpected error while rating scope b over" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [GAVE_UP, errors.InvalidResponse("Gnocchi's answer is no JSON")])
@pytest.mark.parametrize("bad", ["s00", "s07", "s15"])
def test_a_scope_whose_answer_always_fails_is_alone_in_the_end(bad: str, error: Exception) -> None:
    """Whether the back end breaks down over it or its answer makes no sense."""
    scopes = [f"s{number:02d}" for number in range(16)]
    office = Office(*scopes)
    office.fail(about(bad, error))
    for hour in range(8):
        office.rate(patient=False)
        office.now += HOUR
        if hour > 3:
            behind = {scope for scope, hours in office.rated().items() if hours < DUE + hour}
            assert behind == {bad}


def test_a_scope_whose_answer_fails_holds_up_few_others_even_at_first() -> None:
    scopes = [f"s{number:02d}" for number in range(16)]
    office = Office(*scopes, limit=1000)
    office.fail(about("s00", GAVE_UP))
    office.rate()
    assert sum(1 for hours in office.rated().values() if hours < DUE) <= 4


def test_a_metric_that_is_refused_says_so_on_each_scope() -> None:
    office = Office("a", "b")
    office.fail(lambda asked: REFUSED if asked.metric == "disk" else None)
    assert office.rate() == CycleResult(failed_scopes=2, retry_at=NOW + MINUTE)
    assert office.ledger.errors == {"a": str(REFUSED), "b": str(REFUSED)}
    assert office.ledger.frames == {}


# Trying again -----------------------------------------------------------------------------


def test_a_back_end_that_is_down_loses_nothing() -> None:
    office = Office("a", "b")
    office.fail(always(BACK_END_DOWN))
    assert office.rate().failed_scopes > 0
    assert office.rated() == {"a": 0, "b": 0}
    office.mend()
    office.now += MINUTE
    assert office.rate() == CycleResult(2 * DUE * 2, 2 * DUE)


def test_a_back_end_that_is_down_is_soon_left_alone() -> None:
    office = Office(*(f"s{number:03d}" for number in range(100)), limit=50)
    office.fail(always(BACK_END_DOWN))
    office.rate()
    assert len(office.collector.asked) <= 6


def test_a_scope_that_failed_rests() -> None:
    office = Office("a")
    office.fail(always(BACK_END_DOWN))
    office.rate()
    office.mend()
    asked = len(office.collector.asked)
    office.now += MINUTE - datetime.timedelta(seconds=1)
    assert office.rate() == CycleResult(failed_scopes=1, retry_at=NOW + MINUTE)
    assert len(office.collector.asked) == asked
    office.now += datetime.timedelta(seconds=1)
    assert office.rate().periods == DUE


def test_an_impatient_cycle_does_not_let_scopes_rest() -> None:
    office = Office("a")
    office.fail(always(REFUSED))
    office.rate()
    office.mend()
    assert office.rate(patient=False).periods == DUE


def test_a_scope_rests_twice_as_long_each_time_but_no_longer_than_a_period() -> None:
    office = Office("a")
    office.fail(always(REFUSED))
    rests = []
    for _ in range(9):
        office.rate(patient=False)
        rests.append(office.rest("a") // MINUTE)
        office.now += MINUTE
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_scope_that_has_failed_a_thousand_times_still_rests_a_period() -> None:
    office = Office("a")
    office.fail(always(REFUSED))
    office.rate()
    office.ledger.states["a"] = dataclasses.replace(office.ledger.states["a"], failures=1000)
    office.rate(patient=False)
    assert office.rest("a") == HOUR


def test_success_forgets_the_failures() -> None:
    office = Office("a")
    office.fail(always(REFUSED))
    office.rate()
    office.mend()
    office.now += MINUTE
    office.rate()
    assert office.ledger.states["a"].failures == 0
    assert office.ledger.states["a"].retry_at is None


def test_a_question_that_is_too_large_is_asked_in_smaller_parts() -> None:
    office = Office("a", "b", limit=1000)
    office.fail(
        lambda asked: GAVE_UP if len(asked.scopes) * asked.window.count > DUE // 2 else None
    )
    office.rate(patient=False)
    office.rate(patient=False)
    assert office.rated() == {"a": DUE, "b": DUE}


def test_one_scope_over_a_long_window_is_asked_in_shorter_ones() -> None:
    office = Office("a", limit=1000)
    office.fail(lambda asked: GAVE_UP if asked.window.count > DUE // 2 else None)
    assert office.rate() == CycleResult(frames=DUE * 2, periods=DUE, failed_scopes=0)


def test_a_request_in_vain_now_and_then_does_not_end_the_cycle() -> None:
    office = Office(*"abcdefgh", limit=DUE)
    turns = itertools.count(1)
    office.fail(lambda asked: GAVE_UP if next(turns) % 7 == 0 else None)
    assert office.rate().failed_scopes == 0
    assert set(office.rated().values()) == {DUE}


def test_a_database_that_cannot_note_a_failure_ends_the_cycle() -> None:
    class Deaf(FakeLedger):
        def postpone(self, *_: object) -> None:
            raise errors.TryLater("the database is gone")

    office = Office("a", ledger=Deaf)
    office.fail(always(REFUSED))
    with pytest.raises(errors.TryLater, match="the database is gone"):
        office.rate()


# Rules ------------------------------------------------------------------------------------


def test_modules_price_one_after_the_other_in_their_order() -> None:
    office = Office("a", modules=[FakeModule(2), FakeModule(5, times=10)])
    office.rate()
    assert {price for _, price in office.ledger.frames.values()} == {Decimal((0 + 2 + 5) * 10)}
    office = Office("a", modules=[FakeModule(5, times=10), FakeModule(2)])
    office.rate()
    assert {price for _, price in office.ledger.frames.values()} == {Decimal(5 * 10 + 2)}


def test_rules_are_compiled_once_until_they_change() -> None:
    module = FakeModule(1)
    office = Office("a", "b", limit=2, modules=[module])
    office.rate()
    assert module.compiled == [1]
    office.rules.book = RuleBook(2, ())
    office.now += HOUR
    office.rate()
    assert module.compiled == [1, 2]


def test_when_rules_change_between_pricing_and_storing_the_batch_is_priced_again() -> None:
    changed: list[RatedBatch] = []

    class Changing(FakeLedger):
        def commit(self, batch: RatedBatch) -> CommitResult:
            if not changed:
                changed.append(batch)
                self._rules.book = RuleBook(2, ())
            return super().commit(batch)

    module = FakeModule(1)
    office = Office("a", modules=[module], ledger=Changing)
    assert office.rate() == CycleResult(frames=DUE * 2, periods=DUE, failed_scopes=0)
    assert module.compiled == [1, 2]
    assert [batch.rules_version for batch in office.ledger.commits] == [2]


# Another processor, and the end -------------------------------------------------------------


class Raced(FakeLedger):
    """Another processor rates scope ``b`` just before the first commit."""

    def commit(self, batch: RatedBatch) -> CommitResult:
        if not self.commits:
            self.states["b"] = dataclasses.replace(self.states["b"], rated_until=batch.window.end)
        return super().commit(batch)


def test_a_scope_that_another_processor_has_rated_is_left_out_and_the_others_go_on() -> None:
    office = Office("a", "b", "c", ledger=Raced)
    assert office.rate() == CycleResult(frames=2 * DUE * 2, periods=2 * DUE, lost_scopes=1)
    assert {scope for scope, _, _ in office.ledger.frames} == {"a", "c"}
    assert len(office.ledger.commits) == 1
    assert [str(one.batch).partition(" over ")[0] for one in office.told] == ["2 scopes"]


def test_a_batch_that_another_processor_has_rated_is_no_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = Office("b", limit=DUE // 2, ledger=Raced)
    office.rate()
    office.rate()
    with caplog.at_level(logging.INFO, "ratekit.cmd.output.progress"):
        for progress in office.told:
            log_line(progress)
    assert len(office.told) == len(caplog.messages) + 1
    assert all(" rated: " in line and " rated: 0 frames" not in line for line in caplog.messages)


def test_a_lost_scope_is_taken_up_again_from_where_the_other_left_it() -> None:
    office = Office("a", "b", limit=2, ledger=Raced)
    office.rate()
    office.rate()
    assert office.rated() == {"a": DUE, "b": DUE}


def test_a_stop_ends_the_cycle_between_batches() -> None:
    office = Office("a", "b", "c", limit=DUE)
    office.stop_after = 1
    assert office.rate() == CycleResult(frames=DUE * 2, periods=DUE, failed_scopes=0)
    office.stop_after = 1000
    assert office.rate().periods == 2 * DUE


def test_a_stop_before_the_first_batch_rates_nothing() -> None:
    office = Office("a")
    office.stop_after = 0
    assert office.rate() == CycleResult()
    assert office.collector.asked == []


def test_a_state_off_the_grid_is_held_with_the_remedy_and_the_others_go_on() -> None:
    office = Office("a", "b")
    office.rate()
    state = office.ledger.states["a"]
    office.ledger.states["a"] = dataclasses.replace(state, rated_until=MONTH + 90 * MINUTE)
    office.now += HOUR
    rest = office.now + MINUTE
    assert office.rate() == CycleResult(frames=2, periods=1, failed_scopes=1, retry_at=rest)
    assert office.ledger.errors == {
        "a": "rated until 2026-01-01T01:30:00Z, which is not the start of a period of 1:00:00: "
        "set [collect] period back to its previous value, or see ratekit scope reset"
    }
    assert office.rate() == CycleResult(failed_scopes=1, retry_at=rest)


# A back end that refuses ratekit ------------------------------------------------------------


def test_a_back_end_that_refuses_ratekit_itself_is_asked_once() -> None:
    office = Office(*(f"s{number}" for number in range(50)), limit=1000)
    denied = errors.AccessDenied("Gnocchi refused with 401: Unauthorized")
    office.collector.failures.append(lambda _: denied)
    with pytest.raises(errors.AccessDenied):
        office.rate()
    assert len(office.collector.asked) == 1
    assert office.ledger.errors == {f"s{number}": str(denied) for number in range(50)}


def test_a_database_that_was_migrated_ends_everything() -> None:
    class Migrated(FakeLedger):
        def commit(self, batch: RatedBatch) -> CommitResult:
            raise errors.SchemaChanged("the database is at revision 0009")

    office = Office("a", "b", ledger=Migrated)
    with pytest.raises(errors.SchemaChanged):
        office.rate()
    assert office.ledger.errors == {}
    assert len(office.collector.asked) == 2


# A back end that is down ----------------------------------------------------------------------


def test_when_a_back_end_is_down_all_scopes_rest_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = Office(*(f"s{number}" for number in range(9)), limit=1)
    office.fail(always(BACK_END_DOWN))
    assert office.rate() == CycleResult(failed_scopes=9, retry_at=NOW + MINUTE)
    assert {office.rest(f"s{number}") for number in range(9)} == {MINUTE}
    assert (
        "stopping this cycle after 3 consecutive failures; 7 scopes will be retried later"
        in caplog.messages
    )


def test_a_back_end_that_stays_down_is_asked_ever_more_rarely_by_all_together() -> None:
    office = Office(*(f"s{number}" for number in range(9)), limit=1)
    office.fail(always(BACK_END_DOWN))
    rests, asked = [], []
    for _ in range(8):
        outcome = office.rate()
        assert outcome.retry_at is not None
        rests.append((outcome.retry_at - office.now) // MINUTE)
        asked.append(len(office.collector.asked))
        office.now = outcome.retry_at
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]
    assert asked[-1] == 8 * asked[0]


def test_a_scope_that_breaks_the_back_end_down_holds_up_nobody_else() -> None:
    """Asking something small about another tells it from a back end that is down."""
    office = Office(*(f"s{number:02d}" for number in range(16)), limit=1000)
    office.fail(about("s00", GAVE_UP))
    outcome = office.rate()
    assert (outcome.failed_scopes, outcome.lost_scopes) == (1, 0)
    assert office.rated() == {f"s{number:02d}": DUE * (number > 0) for number in range(16)}


def test_a_back_end_that_asks_to_be_left_alone_is_left_alone_that_long() -> None:
    office = Office("a", "b", "c")
    office.fail(always(errors.TryLater("Gnocchi answered 429", after=1000.0)))
    rest = datetime.timedelta(seconds=1000)
    assert office.rate() == CycleResult(failed_scopes=3, retry_at=NOW + rest)
    assert [office.rest(scope) for scope in "abc"] == [rest] * 3
    assert len(office.collector.asked) == 1


@pytest.mark.parametrize("bad", ["s00", "s10", "s20"])
def test_a_scope_for_which_a_back_end_always_asks_for_a_rest_is_alone_in_the_end(bad: str) -> None:
    office = Office(*(f"s{number:02d}" for number in range(21)))
    office.fail(about(bad, errors.TryLater("Gnocchi answered 503", after=60.0)))
    for _ in range(30):
        outcome = office.rate()
        office.now = outcome.retry_at or office.now + MINUTE
    late = {scope for scope, hours in office.rated().items() if hours < DUE}
    assert late == {bad}


def test_a_question_too_large_for_a_back_end_that_asks_for_rests_is_asked_in_parts() -> None:
    office = Office(*"abcdefgh")
    office.fail(
        lambda asked: (
            errors.TryLater("Gnocchi answered 503", after=60.0)
            if len(asked.scopes) * asked.window.count > 4
            else None
        )
    )
    for _ in range(40):
        outcome = office.rate()
        office.now = outcome.retry_at or office.now + MINUTE
    assert min(office.rated().values()) >= DUE


def test_a_request_for_no_rest_at_all_is_like_none() -> None:
    office = Office("a")
    office.fail(always(errors.TryLater("Gnocchi answered 429", after=0.0)))
    assert office.rate().failed_scopes == 1
    assert office.rest("a") == MINUTE


def test_rests_are_spread_by_chance_and_still_grow() -> None:
    office = Office("a")
    office.fail(always(REFUSED))
    rests = []
    for office.chance in (0.99, 0.0, 0.99, 0.0):
        office.rate(patient=False)
        rests.append(office.rest("a"))
    assert rests == sorted(set(rests))
    assert MINUTE < rests[0] < 1.25 * MINUTE
    assert rests[1] == 2 * MINUTE


def test_many_scopes_that_are_refused_one_by_one_do_not_cost_a_question_each() -> None:
    office = Office(*(f"s{number:03d}" for number in range(256)), limit=10_000)
    office.fail(always(REFUSED))
    outcome = office.rate()
    assert outcome.failed_scopes == 256
    assert len(office.collector.asked) <= 32
    assert outcome.retry_at == NOW + MINUTE


def test_those_that_were_not_tried_come_first_the_next_time() -> None:
    office = Office(*(f"s{number:03d}" for number in range(64)), limit=10_000)
    office.fail(lambda asked: REFUSED if min(asked.scopes) < "s010" else None)
    office.rate()
    office.now += MINUTE
    office.rate()
    late = {scope for scope, hours in office.rated().items() if hours < DUE}
    assert late == {f"s{number:03d}" for number in range(10)}


def test_a_conflict_is_tried_again_at_once_but_not_for_ever() -> None:
    conflicts = itertools.count()

    class Busy(FakeLedger):
        def commit(self, batch: RatedBatch) -> CommitResult:
            if next(conflicts) < office.conflicts:
                raise errors.Conflict("deadlock found")
            return super().commit(batch)

    class Conflicted(Office):
        conflicts = 2

    office = Conflicted("a", ledger=Busy)
    assert office.rate() == CycleResult(DUE * 2, DUE)
    office.conflicts = 1000
    office.now += HOUR
    assert office.rate() == CycleResult(failed_scopes=1, retry_at=office.now + MINUTE)


# Several workers, and settings that change ------------------------------------------------------


def test_workers_share_all_scopes_and_none_twice() -> None:
    scopes = [f"s{number:03d}" for number in range(64)]
    rated = []
    for index in range(3):
        office = Office(*scopes, share=Partition(index, 3))
        assert office.rate().failed_scopes == 0
        assert set(office.ledger.states) == set(scopes)
        rated.append({scope for scope, hours in office.rated().items() if hours})
    assert sorted(scope for some in rated for scope in some) == scopes
    assert min(len(some) for some in rated) > 8


def test_new_settings_are_in_force_from_the_next_batch_on() -> None:
    office = Office("a", "b", limit=DUE)

    def reload(_: Asked) -> None:
        office.orchestrator.adopt(dataclasses.replace(office.settings, metrics=[metric("gpu")]))

    office.fail(reload)
    office.rate()
    assert [asked.metric for asked in office.collector.asked] == ["cpu", "disk", "gpu"]
    assert [batch.metrics for batch in office.ledger.commits] == [("cpu", "disk"), ("gpu",)]


def test_the_earliest_end_of_a_rest_is_told() -> None:
    office = Office("a", "b")
    office.fail(about("a", REFUSED))
    first = office.rate().retry_at
    office.fail(about("b", REFUSED))
    office.now += MINUTE / 2
    office.now += HOUR
    office.ledger.states["a"] = dataclasses.replace(
        office.ledger.states["a"], retry_at=office.now + MINUTE / 3
    )
    assert first == NOW + MINUTE
    assert office.rate() == CycleResult(failed_scopes=2, retry_at=office.now + MINUTE / 3)
