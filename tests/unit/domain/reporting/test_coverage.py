"""What became of each period in each metric."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import (
    CoverageFacts,
    Kind,
    MetricsFrom,
    PeriodCoverage,
    Stretch,
    cells,
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
) -> CoverageFacts:
    """Return facts, all instants in hours."""
    return CoverageFacts(
        rated_since=None,
        rated_until=hour(rated_until),
        changes=[MetricsFrom(hour(at), frozenset(names.split())) for at, names in changes],
        points={(hour(at), name): count for (at, name), count in (points or {}).items()},
        gaps=[Stretch(hour(last), None if to is None else hour(to)) for last, to in gaps],
    )


def shown(known: CoverageFacts, count: int = 4) -> dict[str, list[str]]:
    """Return each metric's cells as words, points as numbers."""
    table = cells(known, Window(START, HOUR, count))
    return {
        metric: [str(one.points) if one.kind is Kind.POINTS else one.kind.value for one in line]
        for metric, line in table.items()
    }


def test_a_period_is_used_or_silent_or_not_rated_yet() -> None:
    assert shown(facts(points={(0, "cpu"): 12, (2, "cpu"): 1})) == {
        "cpu": ["12", "silent", "1", "not rated yet"],
        "disk": ["silent", "silent", "silent", "not rated yet"],
    }


def test_a_metric_is_not_configured_before_and_after_it_was_in_the_file() -> None:
    changes = ((0, "cpu"), (1, "cpu disk"), (2, "cpu"))
    assert shown(facts(rated_until=4, changes=changes))["disk"] == [
        "not configured",
        "silent",
        "not configured",
        "not configured",
    ]


def test_before_the_first_known_set_only_what_was_used_is_known() -> None:
    assert shown(facts(changes=((1.0, "cpu"),), points={(0, "disk"): 2})) == {
        "cpu": ["unknown", "silent", "silent", "not rated yet"],
        "disk": ["2", "not configured", "not configured", "not rated yet"],
    }


def test_the_period_of_a_gaps_last_instant_is_still_rated() -> None:
    known = facts(rated_until=3, gaps=((0.5, 2),))
    assert shown(known)["cpu"] == ["silent", "gap", "silent", "not rated yet"]


def test_a_gap_may_begin_with_a_period_and_last() -> None:
    microsecond = 1 / 3_600_000_000
    known = facts(rated_until=1, gaps=((1 - microsecond, None),))
    assert shown(known)["cpu"] == ["silent", "gap", "gap", "gap"]


def test_a_gap_that_lies_ahead_is_no_gap_before_it() -> None:
    assert shown(facts(rated_until=1, gaps=((1.5, 3),)))["cpu"] == [
        "silent",
        "not rated yet",
        "gap",
        "not rated yet",
    ]


def test_frames_of_shorter_periods_count_where_these_began() -> None:
    known = facts(points={(0, "cpu"): 1, (0.5, "cpu"): 2, (1.5, "cpu"): 4})
    assert shown(known, count=2)["cpu"] == ["3", "4"]


def test_what_lies_outside_of_the_window_is_not_shown() -> None:
    assert shown(facts(changes=((9, "cpu"),), points={(-1, "ram"): 1, (4, "disk"): 1})) == {}


HOURS = st.integers(-2, 14)
SETS = st.frozensets(st.sampled_from(NAMES))


@st.composite
def any_facts(draw: st.DrawFn) -> CoverageFacts:
    """Draw facts, even such as no ledger has."""
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
        gaps=draw(st.lists(st.builds(Stretch, st.floats(-2, 14).map(hour), ends), max_size=3)),
    )


def by_hand(known: CoverageFacts, begin: datetime.datetime, metric: str) -> set[Kind]:
    """Return each kind whose own condition holds."""
    used = (begin, metric) in known.points
    left_out = any(
        one.last_instant < begin and not (one.resume and one.resume <= begin) for one in known.gaps
    )
    rated = not used and not left_out and begin < known.rated_until
    sets = [one.metrics for one in known.changes if one.begin <= begin]
    return {
        kind
        for kind, holds in {
            Kind.POINTS: used,
            Kind.GAP: not used and left_out,
            Kind.NOT_RATED: not used and not left_out and not rated,
            Kind.UNKNOWN: rated and not sets,
            Kind.SILENT: rated and bool(sets) and metric in sets[-1],
            Kind.NOT_CONFIGURED: rated and bool(sets) and metric not in sets[-1],
        }.items()
        if holds
    }


@given(any_facts())
def test_every_cell_is_exactly_one_kind(known: CoverageFacts) -> None:
    window = Window(START, HOUR, 12)
    for metric, line in cells(known, window).items():
        assert [one.begin for one in line] == window.begins()
        for one in line:
            assert by_hand(known, one.begin, metric) == {one.kind}
            assert one.points == known.points.get((one.begin, metric), 0)


@given(any_facts(), st.integers(1, 11))
def test_splitting_windows_changes_nothing(known: CoverageFacts, cut: int) -> None:
    whole = cells(known, Window(START, HOUR, 12))
    parts = [
        cells(known, Window(START, HOUR, cut)),
        cells(known, Window(hour(cut), HOUR, 12 - cut)),
    ]
    assert set(whole) == set(parts[0]) | set(parts[1])
    for metric, line in whole.items():
        for part, own in zip(parts, (line[:cut], line[cut:]), strict=True):
            assert part.get(metric, own) == own
            if metric not in part:
                assert not any(one.kind in (Kind.POINTS, Kind.SILENT) for one in own)


def test_no_points_are_lost() -> None:
    known = facts(points={(0, "cpu"): 12, (2, "disk"): 1})
    table = cells(known, Window(START, HOUR, 4))
    assert [one for line in table.values() for one in line if one.points] == [
        PeriodCoverage(hour(0), Kind.POINTS, 12),
        PeriodCoverage(hour(2), Kind.POINTS, 1),
    ]
