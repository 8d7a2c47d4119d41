"""What an export is made of: frames, rules, services, and who bills whom."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from ratekit import composition, errors
from ratekit.admin.explain import PastRules
from ratekit.admin.scope_filter import is_rated
from ratekit.conf import collect
from ratekit.domain.reporting.reports import Selection
from ratekit.export.focus import periods
from ratekit.export.focus.charges import Charges
from ratekit.export.focus.currency import require_code
from ratekit.export.focus.services import Services
from ratekit.export.focus.skus import SkuFinder
from ratekit.export.focus.usage_columns import Account, Cells, Row, UsageColumns
from ratekit.interfaces import Storage
from ratekit.text import count_text, second_text, utc_text


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What is exported.

    :ivar selection: with begin and end
    :ivar granularity: one of :data:`ratekit.export.focus.periods.GRANULARITIES`
    :ivar zone: of days, months and billing periods
    """

    selection: Selection
    granularity: str = periods.DEFAULT
    zone: datetime.tzinfo = datetime.UTC

    @property
    def begin(self) -> datetime.datetime:
        """Of the first period that may be exported, UTC."""
        assert self.selection.begin is not None, "exports start somewhere"
        return self.selection.begin

    @property
    def end(self) -> datetime.datetime:
        """Until before which periods begin, UTC."""
        assert self.selection.end is not None, "exports end somewhere"
        return self.selection.end


class FocusBill:
    """The charges of an order, from one snapshot of the frames.

    :param conf: a loaded ``ConfigOpts``
    :param settings: of metrics.yml, valid
    :param cells: how the kind of file writes values
    :ivar charges: what was exported so far
    :raises ratekit.errors.OperatorError: it cannot be exported
    :raises ratekit.errors.TryLater: the storage did not answer
    """

    def __init__(
        self,
        conf: Any,
        storage: Storage,
        settings: Mapping[str, Any],
        order: Order,
        cells: Cells,
    ) -> None:
        self._conf = conf
        self._storage = storage
        self._order = order
        # Before the frames are read, so that no scope seems to be rated further than they go.
        self._states = storage.reports.scopes(order.selection.scopes)
        options = conf.export
        account = Account(
            provider=options.provider,
            billing_id=options.billing_account_id,
            billing_name=options.billing_account_name,
            currency=require_code(conf.rating.currency),
            region=options.region,
            scope_key=conf.collect.scope_key,
            scopes={state.id: state.name for state in self._states},
        )
        step = collect.build_calendar(conf).step
        self.charges = Charges(
            UsageColumns(account, Services(settings), cells),
            cells,
            periods.Periods(order.granularity, step, order.zone, order.begin, order.end),
            self._build_skus,
        )
        self._require_frames()

    def rows(self) -> Iterator[Row]:
        """Yield the rows.

        :raises ratekit.errors.OperatorError: frames of the order were purged while they were read
        :raises ratekit.errors.TryLater: the storage did not answer
        """
        yield from self.charges.rows(self._storage.reports.frames(self._order.selection))
        self._require_frames()

    def explain_unfinished(self) -> str | None:
        """Return who will have more charges in the time range, in one line; None: nobody."""
        end = self._order.end
        behind = [state for state in self._states if is_rated(state) and state.rated_until < end]
        if not behind:
            return None
        oldest = min(state.rated_until for state in behind)
        return (
            f"not final: {count_text(len(behind), 'scope')} not yet rated until "
            f"{second_text(end)}, the oldest until {second_text(oldest)}; see ratekit scope list"
        )

    def _build_skus(self) -> SkuFinder:
        modules = composition.build_modules(self._conf)
        return SkuFinder(PastRules(self._storage.rules, modules))

    def _require_frames(self) -> None:
        until = self._storage.purge.mark().frames_until
        if until is not None and self._order.begin < until:
            raise errors.OperatorError(
                f"frames before {utc_text(until)} were purged, and the bill would lack them; "
                "export from that time on"
            )
