"""The plug-in points, and the parts of the storage."""

from ratekit.interfaces.drivers import (
    ClockSource,
    Collector,
    ConfCheck,
    Configurable,
    DivisibleUsage,
    ExclusionReport,
    Fetcher,
    KeystoneClient,
    MetricDescription,
    MetricInspection,
    OfflineCollector,
    Pricer,
    PriceSource,
    QuantityTrace,
    RatingModule,
    Readiness,
    ResponseSize,
)
from ratekit.interfaces.ledger import CommitResult, Ledger, Observation, RatedBatch
from ratekit.interfaces.monitoring import Monitoring
from ratekit.interfaces.purge import Purge
from ratekit.interfaces.reports import Reports
from ratekit.interfaces.storage import (
    RuleStore,
    ScopeAdmin,
    Storage,
    TaskLedger,
    Tasks,
)

__all__ = [
    "ClockSource",
    "Collector",
    "CommitResult",
    "ConfCheck",
    "Configurable",
    "DivisibleUsage",
    "ExclusionReport",
    "Fetcher",
    "KeystoneClient",
    "Ledger",
    "MetricDescription",
    "MetricInspection",
    "Monitoring",
    "Observation",
    "OfflineCollector",
    "PriceSource",
    "Pricer",
    "Purge",
    "QuantityTrace",
    "RatedBatch",
    "RatingModule",
    "Readiness",
    "Reports",
    "ResponseSize",
    "RuleStore",
    "ScopeAdmin",
    "Storage",
    "TaskLedger",
    "Tasks",
]
