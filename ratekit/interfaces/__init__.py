"""Plug-in points: what drivers and storages do."""

from ratekit.interfaces.drivers import Collector, Fetcher, Pricer, RatingModule
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
    "Fetcher",
    "Ledger",
    "Observation",
    "Pricer",
    "RatedBatch",
    "RatingModule",
    "Reports",
    "RuleStore",
    "ScopeAdmin",
    "Storage",
    "TaskLedger",
    "Tasks",
]
