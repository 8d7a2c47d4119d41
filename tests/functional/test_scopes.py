"""Operators' changes of a scope, on the real cloud and each database: no hole, nothing twice."""

from __future__ import annotations

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import pytest

from ratekit import errors
from ratekit.admin import scope as scope_admin
from ratekit.conf import collect
from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow, Selection, StateRow, SummaryRow
from ratekit.domain.series import Shared
from tests.builders import HOUR
from tests.functional.conftest import Deployment

#: A period is due this long after its start.
DUE = 2 * HOUR + datetime.timedelta(seconds=1)


def row(deployment: Deployment, name: str) -> StateRow:
    """Return the stored state of a project."""
    return scope_admin.find(deployment.storage.reports.scopes(ALL_SCOPES), name)


class Key(NamedTuple):
    """Identifies a frame by its content."""

    scope: str
    begin: datetime.datetime
    metric: str
    unit: str
    labels: tuple[tuple[str, str | None], ...]


def by_key(frames: list[FrameRow]) -> dict[Key, tuple[Decimal, Decimal, Shared | None]]:
    """Return frames by their keys; fail on a frame that is there twice."""
    frames_by_key: dict[Key, tuple[Decimal, Decimal, Shared | None]] = {}
    for frame in frames:
        labels = tuple(sorted({**frame.groupby, **frame.metadata}.items()))
        key = Key(frame.scope, frame.begin, frame.metric, frame.unit, labels)
        assert key not in frames_by_key, f"charged twice: {key}"
        frames_by_key[key] = (frame.quantity, frame.price, frame.shared)
    return frames_by_key


def totals(deployment: Deployment) -> list[SummaryRow]:
    """Return sums by scope, metric and hour."""
    keys = ("scope", "metric", "hour")
    return list(
        deployment.storage.reports.summary(Selection(scopes=ALL_SCOPES), keys, datetime.UTC)
    )


def test_a_scope_that_is_deactivated_and_activated_again_has_no_hole(
    deployment: Deployment,
) -> None:
    half, whole = deployment.plan.begin + 24 * HOUR, deployment.plan.end
    deployment.rate(half)
    state = row(deployment, "cases")
    deployment.storage.scopes.deactivate(state.id, half)
    rated = by_key(deployment.frames(scopes=frozenset({state.id})))
    assert rated
    deployment.rate(whole)
    assert by_key(deployment.frames(scopes=frozenset({state.id}))) == rated
    other_ends = {
        scope.rated_until
        for scope in deployment.storage.reports.scopes(ALL_SCOPES)
        if scope.id != state.id
    }
    assert min(other_ends) > state.rated_until

    calendar = collect.build_calendar(deployment.conf)
    assert scope_admin.activate(
        deployment.storage.scopes, row(deployment, "cases"), calendar, None, whole
    )
    assert deployment.rate().failed_scopes == 0
    frames = deployment.frames(scopes=frozenset({state.id}))
    assert {frame.begin for frame in frames} == set(deployment.plan.hours())
    before = by_key(deployment.frames()), totals(deployment)
    # The same as if it had never been deactivated.
    for scope in deployment.storage.reports.scopes(ALL_SCOPES):
        plan = deployment.storage.scopes.plan_reset(scope.id, deployment.plan.begin)
        deployment.storage.scopes.reset(plan)
    assert deployment.frames() == []
    deployment.rate()
    assert (by_key(deployment.frames()), totals(deployment)) == before


def test_a_reset_scope_gets_the_same_frames_and_no_other_scope_changes(
    deployment: Deployment,
) -> None:
    deployment.rate()
    before = by_key(deployment.frames()), totals(deployment)
    state = row(deployment, "cases")
    since = deployment.plan.begin + 20 * HOUR
    calendar = collect.build_calendar(deployment.conf)
    plan = scope_admin.plan_reset(deployment.storage.scopes, state, calendar, since)
    reset_keys = {key for key in before[0] if key.scope == state.id and key.begin >= since}
    assert reset_keys
    assert plan.frames == len(reset_keys)
    assert Fraction(plan.price) == sum(Fraction(before[0][key][1]) for key in reset_keys)

    deployment.storage.scopes.reset(plan)
    remaining = by_key(deployment.frames())
    assert before[0].keys() - remaining.keys() == reset_keys
    assert remaining.items() <= before[0].items()
    result = deployment.rate()
    assert (result.frames, result.failed_scopes) == (len(reset_keys), 0)
    assert (by_key(deployment.frames()), totals(deployment)) == before
    with pytest.raises(errors.Conflict):
        deployment.storage.scopes.reset(plan)
