"""How much a purge may remove."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.purge import PurgeMark, explain_limit, retention_limit

UTC = datetime.UTC
#: The smallest that the option accepts.
SHORTEST = datetime.timedelta(days=62)
INSTANTS = st.datetimes(
    min_value=datetime.datetime.fromisoformat("2000-01-01"),
    max_value=datetime.datetime.fromisoformat("2100-01-01"),
    timezones=st.just(UTC),
)


@given(newest=INSTANTS)
def test_a_retention_time_never_reaches_the_previous_month(newest: datetime.datetime) -> None:
    limit = retention_limit(newest, SHORTEST)
    assert explain_limit(limit, newest, force=False) is None
    assert newest - SHORTEST - datetime.timedelta(days=1) < limit <= newest - SHORTEST


@given(newest=INSTANTS, before=INSTANTS)
def test_what_may_go_without_force_is_two_months_old(
    newest: datetime.datetime, before: datetime.datetime
) -> None:
    months = 12 * (newest.year - before.year) + newest.month - before.month
    is_begin = before == before.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    is_old = months >= 2 or (months == 1 and is_begin)
    assert (explain_limit(before, newest, force=False) is None) == is_old


def test_a_report_of_totals_lacks_only_purged_totals() -> None:
    begin, until = (datetime.datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2))
    mark = PurgeMark(until, None)
    assert mark.explain_missing(begin, from_totals=True) is None
    assert mark.explain_missing(begin, from_totals=False)
    assert mark.explain_missing(until, from_totals=False) is None
    assert PurgeMark().explain_missing(begin, from_totals=False) is None
    assert mark.explain_refusal(until) is None
    assert mark.explain_refusal(begin)
