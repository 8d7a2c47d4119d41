"""metrics.yml -> metrics, with the line of every mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pydantic

from ratekit import errors
from ratekit.domain.usage.metric import Metric
from ratekit.files import metrics_schema, skip_expression, yaml_file
from ratekit.files.metrics_schema import MetricEntry
from ratekit.interfaces import Collector


class _Definition(NamedTuple):
    """One definition of a metric; a metric may have several in a list."""

    place: yaml_file.Path
    name: str
    data: Any

    @property
    def public_name(self) -> str:
        """Its public name, as far as it can be read."""
        given = self.data.get("alt_name") if isinstance(self.data, dict) else None
        return given if given and isinstance(given, str) else self.name


def load(path: str, collector: Collector) -> tuple[Metric, ...]:
    """Read a metrics.yml.

    Each definition is looked at by itself, so that a mistake in one hides none in another.

    :param collector: whose settings the metrics' ``extra_args`` are
    :raises ratekit.errors.BadInput: with all mistakes
    """
    document = yaml_file.read(path)
    _, mistakes = yaml_file.attempt(
        document, (), document.data, pydantic.TypeAdapter(metrics_schema.MetricsFile)
    )
    definitions = _definitions(document.data)
    schema = metrics_schema.entry(collector.extra_args)
    metrics = []
    for one in definitions:
        entry, wrong = yaml_file.attempt(document, one.place, one.data, schema)
        mistakes += wrong
        if entry is not None:
            metrics.append(_metric(one.name, entry))
        mistakes += _refusals(document, one, collector)
    mistakes += _empty_lists(document)
    mistakes += _namesakes(document, definitions)
    document.refuse(mistakes)
    return tuple(metrics)


def labels(path: str, scope_key: str) -> dict[str, frozenset[str]]:
    """Return the public names in a metrics.yml with their labels, as far as it can be read.

    For hints only: whoever rates with a file that is wrong is told so.

    :param scope_key: the label that every usage has
    :returns: nothing where the file cannot be read
    """
    try:
        definitions = _definitions(yaml_file.read(path).data)
    except errors.BadInput:
        return {}
    found: dict[str, frozenset[str]] = {}
    for one in definitions:
        entry = one.data if isinstance(one.data, dict) else {}
        settings = entry.get("extra_args")
        key = settings.get("resource_key", "id") if isinstance(settings, dict) else "id"
        names = {scope_key, str(key)}
        for part in ("groupby", "metadata"):
            given = entry.get(part)
            names |= {str(name) for name in given} if isinstance(given, list) else set()
        found[one.public_name] = frozenset(names)
    return found


def _definitions(data: Any) -> list[_Definition]:
    """Return what looks like definitions, in a file that may not be what it should be."""
    metrics = data.get("metrics") if isinstance(data, dict) else None
    found = []
    for name, given in (metrics if isinstance(metrics, dict) else {}).items():
        place: yaml_file.Path = ("metrics", name)
        if isinstance(given, list):
            found += [_Definition((*place, at), name, one) for at, one in enumerate(given)]
        else:
            found.append(_Definition(place, name, given))
    return found


def _empty_lists(document: yaml_file.Document) -> Iterator[errors.Mistake]:
    metrics = document.data.get("metrics") if isinstance(document.data, dict) else None
    for name, given in (metrics if isinstance(metrics, dict) else {}).items():
        if given == []:
            text = "expected at least one definition"
            yield document.mistake(("metrics", name), text)


def _refusals(
    document: yaml_file.Document, definition: _Definition, collector: Collector
) -> list[errors.Mistake]:
    """Return what the collector says to its settings, whatever the other keys are like."""
    data = definition.data if isinstance(definition.data, dict) else {}
    known: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(collector.extra_args)
    place: yaml_file.Path = (*definition.place, "extra_args")
    args, wrong = yaml_file.attempt(document, place, data.get("extra_args"), known)
    if wrong:
        return []  # told with the entry
    plain = MetricEntry(unit="any", extra_args=args, prorate=data.get("prorate") is True)
    refusals = collector.validate(_metric(definition.name, plain))
    return [document.mistake((*place, key), text) for key, text in refusals.items()]


def _metric(name: str, entry: MetricEntry) -> Metric:
    public_name = entry.alt_name or name
    expression = entry.skip_datapoints_expression
    return Metric(
        name=name,
        public_name=public_name,
        unit=entry.unit,
        factor=entry.factor,
        offset=entry.offset,
        groupby=tuple(entry.groupby),
        metadata=tuple(entry.metadata),
        mutate=entry.mutate,
        extra_args=entry.extra_args,
        description=entry.description,
        mutate_map=entry.mutate_map or {},
        prorate=entry.prorate,
        skip_zero=entry.skip_zero,
        skip=None if expression is None else skip_expression.compile_skip(public_name, expression),
    )


def _namesakes(
    document: yaml_file.Document, definitions: list[_Definition]
) -> Iterator[errors.Mistake]:
    """Two metrics with one public name would be one service to the price rules."""
    owner: dict[str, _Definition] = {}
    for one in definitions:
        first = owner.setdefault(one.public_name, one)
        if first is not one:
            has = yaml_file.dotted(first.place[1:])
            text = f"has the public name {one.public_name!r}, which {has!r} has already"
            yield document.mistake(one.place, text)
