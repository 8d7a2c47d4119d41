"""``/v1/info``: what is rated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from ratekit.api.arguments import Arguments, Text
from ratekit.api.faults import Fault
from ratekit.api.metrics import Info
from ratekit.api.operation import Call, Operation


class MetricName(Arguments):
    """Which metric.

    :ivar metric: its public name
    """

    metric: Text


class MetricInfo(TypedDict):
    """One metric; ``metadata`` are the labels that a rule may look at."""

    metric_id: str
    unit: str
    metadata: Sequence[str]


class MetricList(TypedDict):
    """All metrics."""

    metrics: Sequence[MetricInfo]


class ServiceList(TypedDict):
    """All metrics, by their old name."""

    services: Sequence[MetricInfo]


class Settings(TypedDict):
    """The settings of each metric, or of several with one name, by name."""

    metrics: Mapping[str, Any]


def get_config(call: Call[Arguments]) -> Settings:
    """Return the settings of all metrics, as in metrics.yml, without queries to the back end."""
    return {"metrics": call.parts.metrics.read().settings}


def list_metrics(call: Call[Arguments]) -> MetricList:
    """List the metrics that are rated."""
    return {"metrics": _list(call)}


def list_services(call: Call[Arguments]) -> ServiceList:
    """List the metrics that are rated, by their old name."""
    return {"services": _list(call)}


def get_metric(call: Call[MetricName]) -> MetricInfo:
    """Return one metric."""
    name = call.arguments.metric
    for info in call.parts.metrics.read().infos:
        if info.name == name:
            return _show(info)
    # Clients expect the name alone.
    raise Fault(404, name)


def _list(call: Call[Arguments]) -> list[MetricInfo]:
    return [_show(info) for info in call.parts.metrics.read().infos]


def _show(info: Info) -> MetricInfo:
    return {"metric_id": info.name, "unit": info.unit, "metadata": info.labels}


OPERATIONS = [
    Operation("GET", "/v1/info/config", get_config, "info:get_config", answer=Settings),
    Operation("GET", "/v1/info/metrics", list_metrics, "info:list_metrics_info", answer=MetricList),
    Operation(
        "GET", "/v1/info/metrics/{metric}", get_metric, "info:get_metric_info", MetricName,
        MetricInfo,
    ),
    Operation(
        "GET", "/v1/info/services", list_services, "info:list_services_info", answer=ServiceList
    ),
    Operation(
        "GET", "/v1/info/services/{metric}", get_metric, "info:get_service_info", MetricName,
        MetricInfo,
    ),
]  # fmt: skip
