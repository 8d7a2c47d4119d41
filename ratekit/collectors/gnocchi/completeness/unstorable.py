"""Resources whose usage is too large to be stored: left out, so that all others are rated."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from ratekit.collectors.gnocchi.usage_series import Unstorable
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.usage.metric import Metric

_REMEDY = "correct the measures in Gnocchi or delete the resource's metric, then ratekit reprocess"


class UnstorableUsage:
    """Remembers what the last query of each metric left out, and logs each resource once."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        #: Two metrics may share a public name.
        self._latest: dict[Metric, tuple[Window, Sequence[Unstorable]]] = {}
        self._logged: set[tuple[str, str]] = set()

    def replace(self, metric: Metric, window: Window, unstorable: Sequence[Unstorable]) -> None:
        """Record what was left out of a metric's usage over a window."""
        name = metric.public_name
        self._latest[metric] = window, unstorable
        for resource in unstorable:
            if (name, resource.id) not in self._logged:
                self._logged.add((name, resource.id))
                self._log.error(
                    "%s: excluded from rating and not charged: resource %s: %s; %s",
                    name, resource.id, resource.reason, _REMEDY,
                )  # fmt: skip

    def exclusions(
        self, metric: Metric, window: Window, scopes: Collection[str]
    ) -> Sequence[Exclusion]:
        """Return what was left out of the usage of ``scopes``."""
        latest_window, unstorable = self._latest.get(metric, (window, ()))
        if latest_window != window:
            return ()
        name, scope_set = metric.public_name, frozenset(scopes)
        return sorted(
            {
                Exclusion(resource.scope, name, resource.id, resource.reason, _REMEDY)
                for resource in unstorable
                if resource.scope in scope_set
            }
        )
