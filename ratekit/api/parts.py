"""What operations work with."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

from ratekit.admin.rule_editing.editor import Editor
from ratekit.api.metrics import MetricsWatch
from ratekit.api.policies import Policies
from ratekit.api.streams import Streams
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for; see the options of [api].

    :ivar body: bytes
    :ivar rows: groups of a summary, points of a page
    :ivar range: length of a report's time range
    :ivar groupby: keys of a summary
    """

    body: int
    rows: int
    range: datetime.timedelta
    groupby: int


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """The parts that operations use.

    :ivar conf: the configuration, a loaded ``ConfigOpts``
    :ivar storage: the database
    :ivar calendar: the grid of periods
    :ivar policies: who may do what
    :ivar metrics: what is rated
    :ivar streams: counts answers that are written while they are read
    :ivar editor: reads and changes single price rules
    :ivar clock: returns the current time, aware, UTC
    """

    conf: Any
    storage: Storage
    calendar: Calendar
    policies: Policies
    metrics: MetricsWatch
    editor: Editor
    limits: Limits
    streams: Streams
    clock: Callable[[], datetime.datetime]
