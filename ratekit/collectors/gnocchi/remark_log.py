"""Warns of what the arithmetic remarked about resources."""

from __future__ import annotations

import decimal
import logging
from collections.abc import Iterable
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.usage.remarks import Remark, RemarkKind
from ratekit.text import utc_text

_DISPLAY = decimal.Context(prec=6, Emin=exact.EXACT.Emin, Emax=exact.EXACT.Emax)


class RemarkLog:
    """Logs one warning for each metric and kind of remark."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._logged: set[tuple[str, RemarkKind]] = set()

    def log(self, metric: str, remarks: Iterable[tuple[str, Remark]], counter_gap: int) -> None:
        """Warn of the first remark of each kind.

        :param metric: public name
        :param remarks: (resource's id, remark)
        :param counter_gap: the metric's setting, seconds
        """
        for id_, remark in remarks:
            if (metric, remark.kind) in self._logged:
                continue
            self._logged.add((metric, remark.kind))
            begin = utc_text(remark.begin)
            if remark.kind is RemarkKind.NEGATIVE:
                self._log.warning(
                    "%s: resource %s: the value at %s is %s; values below zero count as 0, see "
                    "extra_args negative; more such values of the metric are not logged",
                    metric, id_, begin, _text(remark),
                )  # fmt: skip
            else:
                self._log.warning(
                    "%s: resource %s: the counter was silent for more than %d s before %s, and its "
                    "growth (%s) is not charged, see extra_args counter_gap; more such gaps of the "
                    "metric are not logged",
                    metric, id_, counter_gap, begin, _text(remark),
                )  # fmt: skip


def _text(remark: Remark) -> str:
    if remark.value is None:
        return "unknown"
    numerator, denominator = remark.value.as_integer_ratio()
    return f"{_DISPLAY.divide(Decimal(numerator), Decimal(denominator)):g}"
