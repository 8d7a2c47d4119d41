"""Where the parts meet: each function builds one part from the configuration.

``storage.py`` is imported by itself, because it imports SQLAlchemy.
"""

from ratekit.composition.commands import build_price_list, read_metrics
from ratekit.composition.plugins import (
    build_collector,
    build_fetcher,
    build_modules,
    load_plugins,
)
from ratekit.composition.processor import (
    Parts,
    SideBySide,
    Within,
    build_backoff,
    build_calendar,
    build_processor,
    build_rater,
    build_repricer,
    read_settings,
)

__all__ = [
    "Parts",
    "SideBySide",
    "Within",
    "build_backoff",
    "build_calendar",
    "build_collector",
    "build_fetcher",
    "build_modules",
    "build_price_list",
    "build_processor",
    "build_rater",
    "build_repricer",
    "load_plugins",
    "read_metrics",
    "read_settings",
]
