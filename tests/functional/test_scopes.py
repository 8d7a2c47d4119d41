"""What operators do to a scope, on the real cloud and each database: no hole, nothing twice."""

from __future__ import annotations

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import pytest

from ratekit import composition, errors
from ratekit.admin import scope as scope_admin
from ratekit.domain.reporting.reports import FrameRow, Selection, StateRow, SummaryRow
from tests.functional.conftest import Office

HOUR = datetime.timedelta(hours=1)
#: A period is due this long after it began.
DUE = 2 * HOUR + datetime.timedelta(seconds=1)


def row(office: Office, name: str) -> StateRow:
    """What is known of a project."""
    return scope_admin.find(office.storage.reports.scopes(), name)


class Key(NamedTuple):
    """What a frame is of."""

    scope: str
    begin: datetime.datetime
    metric: str
    unit: str
    labels: tuple[tuple[str, str | None], ...]


def natural(frames: list[FrameRow]) -> dict[Key, tuple[Decimal, Decimal]]:
    """Frames by what they are of; fails on one that is there twice."""
    found: dict[Key, tuple[Decimal, Decimal]] = {}
    for one in frames:
        labels = tuple(sorted({**one.groupby, **one.metadata}.items()))
        key = Key(one.scope, one.begin, one.metric, one.unit, labels)
        assert key not in found, f"charged twice: {key}"
        found[key] = (one.quantity, one.price)
    return found


def totals(office: Office) -> list[SummaryRow]:
    """Sums by scope, metric and hour."""
    keys = ("scope", "metric", "hour")
    return list(office.storage.reports.summary(Selection(), keys, datetime.UTC))


def test_a_scope_that_was_deactivated_and_activated_has_no_hole(office: Office) -> None:
    half, whole = office.plan.begin + 24 * HOUR, office.plan.end
    office.rate(half)
    known = row(office, "cases")
    office.storage.scopes.deactivate(known.id, half)
    rated = natural(office.frames(scopes=(known.id,)))
    assert rated
    office.rate(whole)
    assert natural(office.frames(scopes=(known.id,))) == rated
    others = {one.rated_until for one in office.storage.reports.scopes() if one.id != known.id}
    assert min(others) > known.rated_until

    calendar = composition.build_calendar(office.conf)
    assert scope_admin.activate(office.storage.scopes, row(office, "cases"), calendar, None, whole)
    assert office.rate().failed == 0
    frames = office.frames(scopes=(known.id,))
    assert {one.begin for one in frames} == set(office.plan.hours())
    before = natural(office.frames()), totals(office)
    # The same as if it had never been deactivated.
    for one in office.storage.reports.scopes():
        plan = office.storage.scopes.rewind(one.id, office.plan.begin)
        office.storage.scopes.reset(plan)
    assert office.frames() == []
    office.rate()
    assert (natural(office.frames()), totals(office)) == before


def test_a_scope_that_is_reset_gets_the_same_frames_and_nobody_else_any(office: Office) -> None:
    office.rate()
    before = natural(office.frames()), totals(office)
    known = row(office, "cases")
    since = office.plan.begin + 20 * HOUR
    calendar = composition.build_calendar(office.conf)
    plan = scope_admin.plan_reset(office.storage.scopes, known, calendar, since)
    mine = {key for key in before[0] if key.scope == known.id and key.begin >= since}
    assert mine
    assert plan.frames == len(mine)
    assert Fraction(plan.price) == sum(Fraction(before[0][key][1]) for key in mine)

    office.storage.scopes.reset(plan)
    left = natural(office.frames())
    assert before[0].keys() - left.keys() == mine
    assert left.items() <= before[0].items()
    outcome = office.rate()
    assert (outcome.frames, outcome.failed) == (len(mine), 0)
    assert (natural(office.frames()), totals(office)) == before
    with pytest.raises(errors.Conflict):
        office.storage.scopes.reset(plan)
