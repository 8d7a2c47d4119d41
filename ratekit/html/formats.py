"""How numbers and times are written for people to look at; nothing is calculated with the texts."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import zoneinfo
from collections.abc import Sequence
from decimal import Decimal

from ratekit.domain.exact import round_places
from ratekit.text import number_text

#: Places of a quantity that are shown.
_QUANTITY_PLACES = 3
#: What has no value.
NOTHING = "—"


@dataclasses.dataclass(frozen=True, slots=True)
class Formats:
    """The reader's ways of writing.

    :ivar zone: in which times are shown
    :ivar currency: label behind an amount of money; empty: none
    :ivar decimals: places of an amount of money
    """

    zone: datetime.tzinfo = datetime.UTC
    currency: str = ""
    decimals: int = 2

    def money(self, amount: Decimal | None) -> str:
        """Write an amount with its currency: ``1,234.57 EUR``."""
        text = self.amount(amount)
        return text if amount is None or not self.currency else f"{text} {self.currency}"

    def amount(self, amount: Decimal | None) -> str:
        """Write an amount without its currency, which a column's title has.

        One that is not zero is never shown as zero: ``<0.01``.
        """
        if amount is None:
            return NOTHING
        step = Decimal(1).scaleb(-self.decimals)
        # As in tables of the command line, so that both print the same.
        rounded = round_places(amount, self.decimals)
        if amount and not rounded:
            return f"<{step:f}" if amount > 0 else f">-{step:f}"
        return f"{rounded:,f}"

    def quantity(self, quantity: Decimal | None, unit: str = "") -> str:
        """Write a quantity, with at most three places, and its unit: ``1,234.5 GiB``."""
        if quantity is None:
            return NOTHING
        step = Decimal(1).scaleb(-_QUANTITY_PLACES)
        rounded = round_places(quantity, _QUANTITY_PLACES)
        if quantity and not rounded:
            text = f"<{step:f}" if quantity > 0 else f">-{step:f}"
        else:
            text = f"{rounded:,f}".rstrip("0").rstrip(".")
        return f"{text} {unit}" if unit else text

    def instant(self, instant: datetime.datetime | None) -> str:
        """Write a time with its zone: ``2026-03-15 13:30 CET``."""
        if instant is None:
            return NOTHING
        return f"{instant.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"

    def day(self, instant: datetime.datetime | datetime.date | None) -> str:
        """Write the day of a time, in the reader's zone."""
        if isinstance(instant, datetime.datetime):
            instant = instant.astimezone(self.zone).date()
        return NOTHING if instant is None else instant.isoformat()

    def period(self, begin: datetime.datetime, end: datetime.datetime) -> str:
        """Write a range of time; one that starts and ends at midnight by its days.

        :param end: the first instant after it
        """
        first, last = begin.astimezone(self.zone), end.astimezone(self.zone)
        if first.time() == last.time() == datetime.time():
            day = (last - datetime.timedelta(days=1)).date()
            return f"{first.date()}" if day <= first.date() else f"{first.date()} to {day}"
        # Where clocks go back, a time alone may be one of two.
        if (first.date(), first.tzname()) == (last.date(), last.tzname()):
            return f"{first:%Y-%m-%d %H:%M} to {last:%H:%M %Z}"
        return f"{self.instant(begin)} to {self.instant(end)}"

    def starts(self, instants: Sequence[datetime.datetime], form: str) -> list[str]:
        """Write the starts of hours, days or months as clocks show them, each differently.

        Of what clocks show twice, because they go back, each has the zone's name at its time.

        :param form: as of ``strftime``
        """
        local = [instant.astimezone(self.zone) for instant in instants]
        texts = [f"{start:{form}}" for start in local]
        counts = collections.Counter(texts)
        return [
            text if counts[text] == 1 else f"{text} {start:%Z}"
            for text, start in zip(texts, local, strict=True)
        ]

    @property
    def zone_name(self) -> str:
        """The zone's name: ``Europe/Berlin``."""
        return self.zone.key if isinstance(self.zone, zoneinfo.ZoneInfo) else str(self.zone)


def exact(number: Decimal | None) -> str:
    """Write a number with all its digits."""
    return NOTHING if number is None else number_text(number)
