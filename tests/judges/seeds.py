"""What CloudKitty's own fixtures put into its database, put into ratekit's."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from ratekit.domain.period import Window
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries, Series
from ratekit.interfaces import RatedBatch, Storage
from ratekit.storage.sql import open_storage

HOUR = datetime.timedelta(hours=1)
_UTC = datetime.UTC
_FIRST_DATA = datetime.datetime(2015, 1, 4, 13, tzinfo=_UTC)
_TENANTS = ("8f82cc70-e50c-466e-8624-24bdea811375", "7606a24a-b8ad-4ae0-be6c-3d7a41334a2e")
_TENANT_OF_THIS_MONTH = "3d9a1b33-482f-42fd-aef9-b575a3da9369"
#: Metric -> price of each of two points an hour.
_PRICES = {"cpu": "1.337", "image.size": "0.121"}
#: Metrics of the fixture of summaries.
_METRICS = (
    "instance",
    "image.size",
    "volume.size",
    "network.outgoing.bytes",
    "network.incoming.bytes",
    "ip.floating",
    "radosgw.objects.size",
)
#: Projects with bills, and by what their prices differ.
_BILLED = {"alpha": Decimal(1), "beta": Decimal(7)}
_HOURLY = {
    "instance": Decimal("0.1234567"),
    "volume.size": Decimal("0.0500001"),
    "image.size": Decimal("0.003"),
}
#: Scope -> fetcher and collector.
_ORIGINS: Mapping[str, tuple[str, str]] = {
    "aaaa": ("fet1", "col1"),
    "bbbb": ("fet1", "col1"),
    "cccc": ("fet1", "col2"),
    "dddd": ("fet1", "col2"),
    "eeee": ("fet2", "col1"),
    "ffff": ("fet2", "col1"),
    "gggg": ("fet2", "col2"),
    "hhhh": ("fet2", "col2"),
}
SCOPE_KEY = "key1"


def month() -> datetime.datetime:
    """Return the start of this month, UTC."""
    now = datetime.datetime.now(_UTC)
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def two_tenants(url: str) -> None:
    """Write 56 and 28 hours of two tenants in 2015."""
    storage = open_at(url)
    hours = {_TENANTS[0]: 56, _TENANTS[1]: 28}
    states = begin(storage, _FIRST_DATA, hours)
    for state in states:
        commit(storage, state, _usage(state, hours[state.scope.id]), hours[state.scope.id])


def two_tenants_and_one_of_this_month(url: str) -> None:
    """Write 56 and 28 hours of two tenants in 2015, and 12 of another this month."""
    two_tenants(url)
    storage = open_at(url)
    (state,) = begin(storage, month(), [_TENANT_OF_THIS_MONTH])
    commit(storage, state, _usage(state, 12), 12)


def two_projects_of_this_month(url: str) -> None:
    """Write an hour of seven metrics for each of two projects."""
    storage = open_at(url)
    for state in begin(storage, month(), [str(uuid.UUID(int=number)) for number in (1, 2)]):
        series = [
            _price(state, metric, {"id": str(number)}, "1", 1)
            for metric in _METRICS
            for number in range(10)
        ]
        commit(storage, state, series, 1)


def bills(url: str, projects: Mapping[str, str]) -> None:
    """Write what projects used in the first hours of this month, and of the last.

    :param projects: ids by name
    """
    storage = open_at(url)
    last_month = (month() - HOUR).replace(day=1, hour=0)
    now = datetime.datetime.now(_UTC)
    # All of this month so far, or a week of it.
    hours = min(24 * 7, (now - month()) // HOUR)
    ids = {id_: name for name, id_ in projects.items() if name in _BILLED}
    for state in begin(storage, last_month, ids):
        factor = _BILLED[ids[state.scope.id]]
        length = (month() - last_month) // HOUR
        commit(storage, state, (), length)
        (current,) = storage.ledger.refresh([state])
        series = [
            _price(current, metric, {"id": f"{metric}-{number}"}, str(factor * price), hours)
            for metric, price in _HOURLY.items()
            for number in range(3)
        ]
        commit(storage, current, series, hours)


def eight_scopes(url: str) -> None:
    """Write scopes that are rated until later than the time to which they will be reset."""
    start = datetime.datetime(2019, 1, 1, tzinfo=_UTC)
    for scope, (fetcher, collector) in _ORIGINS.items():
        storage = open_storage(url, scope_key=SCOPE_KEY, fetcher=fetcher, collector=collector)
        (state,) = begin(storage, start, [scope])
        commit(storage, state, (), 24 * 212)
    begin(storage, start, _ORIGINS)


def nothing(url: str) -> None:
    """Leave the database empty."""


Seed = Callable[[str], None]


def open_at(url: str) -> Storage:
    """Open a database of projects."""
    return open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")


def begin(
    storage: Storage, start: datetime.datetime, scopes: Sequence[str] | Mapping[str, object]
) -> Sequence[State]:
    """Return the states of scopes whose rating starts at ``start``."""
    now = datetime.datetime.now(_UTC)
    observation = storage.ledger.observe([Scope(id_, id_) for id_ in scopes], now, start, start)
    return [state for state in observation.states if state.scope.id in scopes]


def commit(storage: Storage, state: State, series: Sequence[RatedSeries], hours: int) -> None:
    """Write what a scope used in its next hours."""
    window = Window(state.rated_until, HOUR, hours)
    metrics = tuple(sorted({rated.series.metric for rated in series}))
    result = storage.ledger.commit(RatedBatch(window, [state], series, 0, metrics))
    assert not result.lost_scopes


def _usage(state: State, hours: int) -> Sequence[RatedSeries]:
    # CloudKitty's two points have equal labels, which ratekit would have added up.
    return [
        _price(state, metric, {"fake_meta": "1.0", "copy": copy}, price, hours)
        for metric, price in _PRICES.items()
        for copy in ("1", "2")
    ]


def _price(
    state: State, metric: str, labels: Mapping[str, str], price: str, hours: int
) -> RatedSeries:
    series = Series(
        scope=state.scope.id,
        metric=metric,
        unit="nothing",
        groupby={"project_id": state.scope.id, **labels},
        metadata={"dummy": "true"},
        points=[(state.rated_until + hour * HOUR, Decimal(1)) for hour in range(hours)],
    )
    return RatedSeries(series, [Decimal(price)] * hours)
