"""The parts that only the operators' commands need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ratekit import interfaces
from ratekit.composition.plugins import build_collector, build_modules
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.usage.metric import Metric
from ratekit.files import metrics_file
from ratekit.pricing.price_list import PriceList


def build_price_list(conf: Any, book: RuleBook) -> PriceList:
    """Return the prices by these rules.

    :raises ratekit.errors.OperatorError: a rating module cannot be used
    """
    return PriceList(build_modules(conf), book)


def read_metrics(
    conf: Any, path: str | None = None, offline: bool = False
) -> tuple[Sequence[Metric], interfaces.Collector]:
    """Return the metrics of a file, and the collector that they are for.

    :param path: default: ``[collect] metrics_conf``
    :param offline: the collector will only check and describe metrics, which needs no credentials
    :raises ratekit.errors.OperatorError: the file or the collector cannot be used
    """
    collector = build_collector(conf, offline)
    return metrics_file.read(path or conf.collect.metrics_conf, collector), collector
