"""Which frames and totals may be removed, and which were."""

from __future__ import annotations

import dataclasses
import datetime

from ratekit.text import count_text, utc_text


@dataclasses.dataclass(frozen=True, slots=True)
class PurgeMark:
    """The times before which frames and totals were removed, or are being removed.

    Frames that are rated later for a time before are removed with the next purge.

    :ivar frames_until: UTC; None: none was removed
    :ivar totals_until: likewise; never later than ``frames_until``
    """

    frames_until: datetime.datetime | None = None
    totals_until: datetime.datetime | None = None

    def explain_refusal(self, begin: datetime.datetime) -> str | None:
        """Return why periods from ``begin`` on cannot be rated again; None: they can."""
        if self.frames_until is None or begin >= self.frames_until:
            return None
        return (
            f"frames before {utc_text(self.frames_until)} were purged; nothing was changed: "
            "choose that time or a later one"
        )

    def explain_missing(self, begin: datetime.datetime, from_totals: bool) -> str | None:
        """Return what a report from ``begin`` on lacks, in one line; None: nothing.

        :param from_totals: the report reads totals, not frames
        """
        until = self.missing_until(begin, from_totals)
        return None if until is None else f"{_purge_text(until)}; this report may lack it"

    def missing_until(
        self, begin: datetime.datetime, from_totals: bool
    ) -> datetime.datetime | None:
        """Return until when a report from ``begin`` on lacks what was purged; None: nothing.

        :param from_totals: the report reads totals, not frames
        """
        until = self.totals_until if from_totals else self.frames_until
        return until if until is not None and begin < until else None

    def explain_absence(self, begin: datetime.datetime) -> str | None:
        """Return why a period has no frames, if they may have been removed; None: they were not.

        :param begin: of the period
        """
        if self.frames_until is None or begin >= self.frames_until:
            return None
        return _purge_text(self.frames_until)


@dataclasses.dataclass(frozen=True, slots=True)
class PurgeCount:
    """How much a purge removes.

    :ivar frames: number of frames
    :ivar totals: number of totals, each for a scope, period and metric
    :ivar scopes_behind: number of scopes that are left out, because they are not yet rated until
        then
    """

    frames: int = 0
    totals: int = 0
    scopes_behind: int = 0

    def __add__(self, addend: PurgeCount) -> PurgeCount:
        """Return the rows of both together."""
        return PurgeCount(
            self.frames + addend.frames, self.totals + addend.totals, self.scopes_behind
        )

    def __str__(self) -> str:
        """Describe it in words."""
        return f"{count_text(self.frames, 'frame')} and {count_text(self.totals, 'total')}"


def _purge_text(until: datetime.datetime) -> str:
    return f"what was rated before {utc_text(until)} was purged"


def explain_limit(before: datetime.datetime, newest: datetime.datetime, force: bool) -> str | None:
    """Return why a purge may not reach ``before``; None: it keeps the two newest months.

    :param before: of the purge, UTC
    :param newest: end of the newest rated period, UTC, not the time by a clock, which may be wrong
    :param force: these months may go, too
    """
    if force and before > newest:
        return f"expected {utc_text(newest)}, until which scopes are rated, or an earlier time"
    if not force and before > _latest(newest):
        return (
            f"what was rated since {utc_text(_latest(newest))}, the begin of the previous month, "
            "is kept; choose that time or an earlier one, or use --force"
        )
    return None


def retention_limit(newest: datetime.datetime, retention: datetime.timedelta) -> datetime.datetime:
    """Return the time before which everything is older than the retention time.

    :param newest: as for :func:`explain_limit`
    :returns: a midnight, UTC, never in the month before the newest
    """
    oldest = (newest - retention).replace(hour=0, minute=0, second=0, microsecond=0)
    return min(oldest, _latest(newest))


def _latest(newest: datetime.datetime) -> datetime.datetime:
    """Return the begin of the month before the one that contains ``newest``."""
    month = newest.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (month - datetime.timedelta(days=1)).replace(day=1)
