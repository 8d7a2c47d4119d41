"""The state of each period in each metric."""

from __future__ import annotations

import datetime
import itertools

from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import (
    CoverageFacts,
    CoverageSpan,
    GapSpan,
    Kind,
    MetricsFrom,
    PeriodCoverage,
    cells,
    merge,
)

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
NAMES = ("cpu", "disk", "ram")


def hour(number: float) -> datetime.datetime:
    return START + number * HOUR


def facts(
    rated_until: float = 3,
    changes: tuple[tuple[float, str], ...] = ((0, "cpu disk"),),
    points: dict[tuple[float, str], int] | None = None,
    gaps: tuple[tuple[float, float | None], ...] = (),
    purged_until: float | None = None,
) -> CoverageFacts:
    """Return facts, all instants in hours."""
    return CoverageFacts(
        rated_since=None,
        rated_until=hour(rated_until),
        changes=[MetricsFrom(hour(at), frozenset(names.split())) for at, names in changes],
        points={(hour(at), name): count for (at, name), count in (points or {}).items()},
        gaps=[GapSpan(hour(last), None if to is None else hour(to)) for last, to in gaps],
        purged_until=None if purged_until is None else hour(purged_until),
    )


def texts(coverage_facts: CoverageFacts, count: int = 4) -> dict[str, list[str]]:
    """Return each metric's cells as text, points as numbers."""
    table = cells(coverage_facts, Window(START, HOUR, count))
    return {
        metric: [str(cell.points) if cell.kind is Kind.POINTS else cell.kind.value for cell in line]
        for metric, line in table.items()
    }


def test_a_period_has_usage_or_is_silent_or_not_rated_yet() -> None:
    assert texts(facts(points={(0, "cpu"): 12, (2, "cpu"): 1})) == {
        "cpu": ["12", "silent", "1", "not rated yet"],
        "disk": ["silent", "silent", "silent", "not rated yet"],
    }


def test_a_metric_is_not_configured_before_and_after_it_was_in_the_file() -> None:
    changes = ((0, "cpu"), (1, "cpu disk"), (2, "cpu"))
    assert texts(facts(rated_until=4, changes=changes))["disk"] == [
        "not configured",
        "silent",
        "not configured",
        "not configured",
    ]


def test_before_the_first_recorded_set_only_metrics_with_usage_are_known() -> None:
    assert texts(facts(changes=((1.0, "cpu"),), points={(0, "disk"): 2})) == {
        "cpu": ["unknown", "silent", "silent", "not rated yet"],
        "disk": ["2", "not configured", "not configured", "not rated yet"],
    }


def test_periods_before_the_purge_mark_are_not_silent() -> None:
    purged = facts(points={(1, "cpu"): 3}, purged_until=2)
    # What a purge has left out, because the scope was not rated until then, is there.
    assert texts(purged) == {
        "cpu": ["purged", "3", "silent", "not rated yet"],
        "disk": ["purged", "purged", "silent", "not rated yet"],
    }
    purged = facts(rated_until=1, changes=((0, "cpu"),), gaps=((0.5, 2),), purged_until=3)
    assert texts(purged) == {"cpu": ["purged", "gap", "not rated yet", "not rated yet"]}


def test_the_period_of_a_gaps_last_instant_is_still_rated() -> None:
    with_gap = facts(rated_until=3, gaps=((0.5, 2),))
    assert texts(with_gap)["cpu"] == ["silent", "gap", "silent", "not rated yet"]


def test_a_gap_may_start_with_a_period_and_have_no_end() -> None:
    microsecond = 1 / 3_600_000_000
    with_gap = facts(rated_until=1, gaps=((1 - microsecond, None),))
    assert texts(with_gap)["cpu"] == ["silent", "gap", "gap", "gap"]


def test_a_future_gap_has_no_effect_before_it() -> None:
    assert texts(facts(rated_until=1, gaps=((1.5, 3),)))["cpu"] == [
        "silent",
        "not rated yet",
        "gap",
        "not rated yet",
    ]


def test_frames_of_shorter_periods_count_in_the_period_of_their_begin() -> None:
    half_hours = facts(points={(0, "cpu"): 1, (0.5, "cpu"): 2, (1.5, "cpu"): 4})
    assert texts(half_hours, count=2)["cpu"] == ["3", "4"]


def test_facts_outside_of_the_window_give_no_cells() -> None:
    assert texts(facts(changes=((9, "cpu"),), points={(-1, "ram"): 1, (4, "disk"): 1})) == {}


HOURS = st.integers(-2, 14)
SETS = st.frozensets(st.sampled_from(NAMES))


@st.composite
def facts_strategy(draw: st.DrawFn) -> CoverageFacts:
    """Draw facts, including facts that no ledger has."""
    changes = draw(st.dictionaries(HOURS, SETS, max_size=4))
    ends = st.one_of(st.none(), HOURS.map(hour))
    return CoverageFacts(
        rated_since=None,
        rated_until=hour(draw(HOURS)),
        changes=[MetricsFrom(hour(at), names) for at, names in sorted(changes.items())],
        points={
            (hour(at), name): count
            for (at, name), count in draw(
                st.dictionaries(
                    st.tuples(HOURS, st.sampled_from(NAMES)), st.integers(1, 99), max_size=20
                )
            ).items()
        },
        gaps=draw(st.lists(st.builds(GapSpan, st.floats(-2, 14).map(hour), ends), max_size=3)),
        purged_until=draw(ends),
    )


def possible_kinds(
    coverage_facts: CoverageFacts, begin: datetime.datetime, metric: str
) -> set[Kind]:
    """Return each kind whose own condition holds."""
    used = (begin, metric) in coverage_facts.points
    in_gap = any(
        gap.last_instant < begin and not (gap.resume and gap.resume <= begin)
        for gap in coverage_facts.gaps
    )
    rated = not used and not in_gap and begin < coverage_facts.rated_until
    sets = [change.metrics for change in coverage_facts.changes if change.begin <= begin]
    configured = not sets or metric in sets[-1]
    purged = coverage_facts.purged_until is not None and begin < coverage_facts.purged_until
    return {
        kind
        for kind, holds in {
            Kind.POINTS: used,
            Kind.GAP: not used and in_gap,
            Kind.NOT_RATED: not used and not in_gap and not rated,
            Kind.PURGED: rated and configured and purged,
            Kind.UNKNOWN: rated and not sets and not purged,
            Kind.SILENT: rated and bool(sets) and configured and not purged,
            Kind.NOT_CONFIGURED: rated and not configured,
        }.items()
        if holds
    }


@given(facts_strategy())
def test_every_cell_is_exactly_one_kind(coverage_facts: CoverageFacts) -> None:
    window = Window(START, HOUR, 12)
    for metric, line in cells(coverage_facts, window).items():
        assert [cell.begin for cell in line] == window.begins()
        for cell in line:
            assert possible_kinds(coverage_facts, cell.begin, metric) == {cell.kind}
            assert cell.points == coverage_facts.points.get((cell.begin, metric), 0)


@given(facts_strategy(), st.integers(1, 11))
def test_splitting_windows_changes_nothing(coverage_facts: CoverageFacts, cut: int) -> None:
    whole = cells(coverage_facts, Window(START, HOUR, 12))
    parts = [
        cells(coverage_facts, Window(START, HOUR, cut)),
        cells(coverage_facts, Window(hour(cut), HOUR, 12 - cut)),
    ]
    assert set(whole) == set(parts[0]) | set(parts[1])
    for metric, line in whole.items():
        for part, expected in zip(parts, (line[:cut], line[cut:]), strict=True):
            assert part.get(metric, expected) == expected
            if metric not in part:
                assert not any(cell.kind in (Kind.POINTS, Kind.SILENT) for cell in expected)


def test_no_points_are_lost() -> None:
    table = cells(facts(points={(0, "cpu"): 12, (2, "disk"): 1}), Window(START, HOUR, 4))
    assert [cell for line in table.values() for cell in line if cell.points] == [
        PeriodCoverage(hour(0), Kind.POINTS, 12),
        PeriodCoverage(hour(2), Kind.POINTS, 1),
    ]


class TestSpans:
    def test_equal_neighbours_are_one_span(self) -> None:
        periods = cells(
            facts(points={(0, "cpu"): 2, (1, "cpu"): 1, (3, "cpu"): 1}, rated_until=4),
            Window(START, HOUR, 5),
        )["cpu"]
        assert merge(periods, HOUR) == [
            CoverageSpan(Kind.POINTS, hour(0), hour(2), 3),
            CoverageSpan(Kind.SILENT, hour(2), hour(3)),
            CoverageSpan(Kind.POINTS, hour(3), hour(4), 1),
            CoverageSpan(Kind.NOT_RATED, hour(4), hour(5)),
        ]

    @given(st.lists(st.sampled_from(Kind), max_size=40))
    def test_spans_cover_each_period_once(self, kinds: list[Kind]) -> None:
        periods = [PeriodCoverage(hour(number), kind) for number, kind in enumerate(kinds)]
        spans = merge(periods, HOUR)
        again = [
            PeriodCoverage(span.begin + number * HOUR, span.kind)
            for span in spans
            for number in range((span.end - span.begin) // HOUR)
        ]
        assert again == periods
        assert all(first.kind != second.kind for first, second in itertools.pairwise(spans))
