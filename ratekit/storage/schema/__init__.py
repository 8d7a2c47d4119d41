"""All tables as the code uses them; migrations/ creates them."""

from ratekit.storage.schema.metadata import METADATA
from ratekit.storage.schema.rules import (
    CHANGE_LINES,
    CHANGES,
    FIELDS,
    GROUPS,
    MAPPINGS,
    RULE_READS,
    SERVICES,
    THRESHOLDS,
    VERSIONS,
)
from ratekit.storage.schema.scopes import (
    EXCLUSIONS,
    GAPS,
    METRIC_SET_CHANGES,
    METRIC_SETS,
    PROCESSORS,
    SCOPE_LISTS,
    SCOPES,
    STOPPED_USAGE,
)
from ratekit.storage.schema.tasks import (
    TASK_PERIODS,
    TASKS,
)
from ratekit.storage.schema.usage import (
    DAILY_TOTALS,
    DESCRIPTORS,
    FRAMES,
    PURGE_MARK,
    TOTALS,
)

__all__ = [
    "CHANGES",
    "CHANGE_LINES",
    "DAILY_TOTALS",
    "DESCRIPTORS",
    "EXCLUSIONS",
    "FIELDS",
    "FRAMES",
    "GAPS",
    "GROUPS",
    "MAPPINGS",
    "METADATA",
    "METRIC_SETS",
    "METRIC_SET_CHANGES",
    "PROCESSORS",
    "PURGE_MARK",
    "RULE_READS",
    "SCOPES",
    "SCOPE_LISTS",
    "SERVICES",
    "STOPPED_USAGE",
    "TASKS",
    "TASK_PERIODS",
    "THRESHOLDS",
    "TOTALS",
    "VERSIONS",
]
