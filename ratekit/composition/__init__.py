"""Where the parts meet: each function builds one part from the configuration.

``storage.py`` is imported by itself, because it imports SQLAlchemy.
"""

from ratekit.composition.plugins import (
    build_collector,
    build_fetcher,
    build_modules,
    load_plugins,
)
from ratekit.composition.processor import (
    Parts,
    SideBySide,
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
    "build_backoff",
    "build_calendar",
    "build_collector",
    "build_fetcher",
    "build_modules",
    "build_processor",
    "build_rater",
    "build_repricer",
    "load_plugins",
    "read_settings",
]
