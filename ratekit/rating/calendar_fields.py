"""Fields of a period's begin that rules may match although no frame stores them.

Names and spelling are CloudKitty 25's (``BaseCollector._create_data_point``), in UTC where
CloudKitty takes the host's zone.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

NAMES = frozenset({"year", "month", "day_of_the_year", "week_of_the_year"})


def fields(begin: datetime.datetime) -> Mapping[str, str]:
    """Return the fields of the UTC day of ``begin``.

    Months and days count from 1 and have no leading zero. Weeks begin on Sunday, count
    from 00 (the days before the first Sunday) and have two digits.
    """
    moment = begin.astimezone(datetime.UTC)
    return {
        "year": str(moment.year),
        "month": str(moment.month),
        "day_of_the_year": str(moment.timetuple().tm_yday),
        "week_of_the_year": moment.strftime("%U"),
    }


def day(instant: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the begin and end of the UTC day of ``instant``: no field changes within it."""
    since = instant.astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return since, since + datetime.timedelta(days=1)
