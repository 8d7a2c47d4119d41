"""The bill of some scopes over a time range."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.admin import resource_costs
from ratekit.admin.bill.sums import MetricCharge, Sums
from ratekit.admin.resource_costs import ResourceCost
from ratekit.admin.scope_filter import is_rated
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.buckets import list_buckets
from ratekit.domain.reporting.reports import Selection, StateRow
from ratekit.interfaces import Reports

#: Most resources, each once a metric and name, that are held in memory to find the dearest.
MAX_RESOURCES = 200_000
#: Most buckets of a bill: more than ten years of days.
MAX_BUCKETS = 4000


@dataclasses.dataclass(frozen=True, slots=True)
class Bill:
    """The charges of a selection; all sums are of one snapshot but those of resources.

    :ivar begin: UTC
    :ivar end: UTC, exclusive
    :ivar bucket: into what time is split, such as ``day``
    :ivar metrics: the dearest first
    :ivar starts: of the buckets that overlap the time range, UTC
    :ivar prices: by metric, in the order of ``metrics``: a price for each bucket
    :ivar resources: the dearest; None: there are too many to find them
    :ivar rated_until: all usage until then is in the sums, UTC; None: there is no scope
    """

    begin: datetime.datetime
    end: datetime.datetime
    bucket: str
    metrics: Sequence[MetricCharge]
    starts: Sequence[datetime.datetime]
    prices: Mapping[str, Sequence[Decimal]]
    resources: Sequence[ResourceCost] | None
    rated_until: datetime.datetime | None

    @property
    def total(self) -> Decimal:
        """The exact sum."""
        return add_up(charge.price for charge in self.metrics)

    @property
    def points(self) -> int:
        """Number of frames."""
        return sum(charge.points for charge in self.metrics)

    @property
    def totals(self) -> Sequence[Decimal]:
        """The exact sum of each bucket."""
        columns = list(self.prices.values())
        return [add_up(column[index] for column in columns) for index in range(len(self.starts))]


def read_bill(
    reports: Reports,
    selection: Selection,
    zone: datetime.tzinfo,
    resources: int = 10,
    bucket: str = "day",
) -> Bill:
    """Return the charges of a selection.

    :param selection: with begin and end
    :param resources: at most so many of the dearest; 0: none is read, which is faster
    :param bucket: one of :data:`ratekit.domain.reporting.buckets.BUCKETS`
    :raises ratekit.errors.OperatorError: there are more than :data:`MAX_BUCKETS`
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    starts = bill_starts(selection, bucket, zone)
    # Before the sums, so that these have all usage until then.
    until = rated_until(reports.scopes(selection.scopes))
    sums = Sums()
    for row in reports.summary(selection, ("metric", bucket), zone):
        sums.add(row, bucket)
    costs = read_resources(reports, selection) if resources else []
    dearest = None if costs is None else costs[:resources]
    return build_bill(selection, bucket, starts, sums, dearest, until)


def build_bill(
    selection: Selection,
    bucket: str,
    starts: Sequence[datetime.datetime],
    sums: Sums,
    resources: Sequence[ResourceCost] | None,
    until: datetime.datetime | None,
) -> Bill:
    """Return the bill of sums that are complete."""
    assert selection.begin is not None, "a bill starts somewhere"
    assert selection.end is not None, "a bill ends somewhere"
    return Bill(
        selection.begin,
        selection.end,
        bucket,
        sums.metrics(),
        starts,
        sums.prices(starts),
        resources,
        until,
    )


def bill_starts(
    selection: Selection, bucket: str, zone: datetime.tzinfo
) -> Sequence[datetime.datetime]:
    """Return the starts of a bill's buckets, UTC.

    :raises ratekit.errors.OperatorError: there are more than :data:`MAX_BUCKETS`
    """
    assert selection.begin is not None, "a bill starts somewhere"
    assert selection.end is not None, "a bill ends somewhere"
    starts = list_buckets(selection.begin, selection.end, bucket, zone, MAX_BUCKETS)
    if len(starts) > MAX_BUCKETS:
        raise errors.OperatorError(
            f"the time range has more than {MAX_BUCKETS:,} {bucket}s; choose a shorter one"
        )
    return starts


def rated_until(scopes: Iterable[StateRow]) -> datetime.datetime | None:
    """Return the instant until which all of the scopes are rated, UTC; None: there is no scope.

    Those that are no longer rated count only if no other one is left.
    """
    rows = list(scopes)
    active = [row.rated_until for row in rows if is_rated(row)]
    if active:
        return min(active)
    return max((row.rated_until for row in rows), default=None)


def read_resources(reports: Reports, selection: Selection) -> Sequence[ResourceCost] | None:
    """Return all resources, the dearest first; None: there are more than :data:`MAX_RESOURCES`."""
    try:
        return resource_costs.read(reports, selection, MAX_RESOURCES)
    except errors.TooManyGroups:
        return None
