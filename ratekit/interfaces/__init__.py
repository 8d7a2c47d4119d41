"""Plug-in points: what drivers and storages do."""

from ratekit.interfaces.drivers import (
    Collector,
    ExclusionReport,
    Fetcher,
    MetricDescription,
    MetricInspection,
    OfflineCollector,
    Pricer,
    QuantityTrace,
    RatingModule,
    Readiness,
)
from ratekit.interfaces.storage import (
    CommitResult,
    Ledger,
    Observation,
    RatedBatch,
    Reports,
    RuleStore,
    ScopeAdmin,
    Storage,
    TaskLedger,
    Tasks,
)

__all__ = [
    "Collector",
    "CommitResult",
    "ExclusionReport",
    "Fetcher",
    "Ledger",
    "MetricDescription",
    "MetricInspection",
    "Observation",
    "OfflineCollector",
    "Pricer",
    "QuantityTrace",
    "RatedBatch",
    "RatingModule",
    "Readiness",
    "Reports",
    "RuleStore",
    "ScopeAdmin",
    "Storage",
    "TaskLedger",
    "Tasks",
]
