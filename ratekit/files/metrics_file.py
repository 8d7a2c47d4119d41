"""metrics.yml: read as metrics, with the line of every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pydantic

from ratekit import errors
from ratekit.domain.usage.metric import Metric
from ratekit.files import metrics_schema, skip_expression, yaml_file
from ratekit.files.metrics_schema import MetricEntry
from ratekit.interfaces import Collector


class _Definition(NamedTuple):
    """A definition of a metric; the file may have a list of them under one name."""

    place: yaml_file.Path
    name: str
    data: Any

    @property
    def public_name(self) -> str:
        """The public name, as far as it can be read."""
        alt_name = self.data.get("alt_name") if isinstance(self.data, dict) else None
        return alt_name if alt_name and isinstance(alt_name, str) else self.name


def read(path: str, collector: Collector) -> tuple[Metric, ...]:
    """Return the metrics of a metrics.yml.

    Each definition is checked by itself, so that a mistake in one hides none in another.

    :param collector: it defines and checks ``extra_args``
    :raises ratekit.errors.BadInput: with all mistakes
    """
    document = yaml_file.read(path)
    _, mistakes = yaml_file.validate(
        document, (), document.data, pydantic.TypeAdapter(metrics_schema.MetricsFile)
    )
    definitions = _definitions(document.data)
    schema = metrics_schema.entry_adapter(collector.extra_args)
    metrics = []
    for definition in definitions:
        entry, entry_mistakes = yaml_file.validate(
            document, definition.place, definition.data, schema
        )
        mistakes += entry_mistakes
        if entry is not None:
            metrics.append(_build_metric(definition.name, entry))
        mistakes += _check_extra_args(document, definition, collector)
    mistakes += _find_empty_lists(document)
    mistakes += _find_duplicate_names(document, definitions)
    document.raise_mistakes(mistakes)
    return tuple(metrics)


def read_labels(path: str, scope_key: str) -> dict[str, frozenset[str]]:
    """Return the labels of each metric in a metrics.yml, by public name, as far as possible.

    For hints only; :func:`read` reports the mistakes of the file.

    :param scope_key: the label that every usage has
    :returns: empty if the file cannot be read
    """
    try:
        definitions = _definitions(yaml_file.read(path).data)
    except errors.BadInput:
        return {}
    labels: dict[str, frozenset[str]] = {}
    for definition in definitions:
        entry = definition.data if isinstance(definition.data, dict) else {}
        settings = entry.get("extra_args")
        key = settings.get("resource_key", "id") if isinstance(settings, dict) else "id"
        names = {scope_key, str(key)}
        for part in ("groupby", "metadata"):
            attributes = entry.get(part)
            names |= {str(name) for name in attributes} if isinstance(attributes, list) else set()
        labels[definition.public_name] = frozenset(names)
    return labels


def read_settings(path: str) -> dict[str, Any]:
    """Return what a metrics.yml sets, by the metrics' names in it, for people who do not run it.

    Without queries, which show how the metering back end is used. Several definitions of one
    name are a list. Numbers are Decimal or int.

    :raises ratekit.errors.BadInput: the file cannot be read
    """
    entries = _entries(yaml_file.read(path).data)
    return {
        name: [_public_settings(part) for part in content]
        if isinstance(content, list)
        else _public_settings(content)
        for name, content in entries.items()
    }


def _public_settings(definition: Mapping[str, Any]) -> dict[str, Any]:
    settings = {"groupby": [], "metadata": [], **definition}
    own = settings.get("extra_args") or {}
    settings["extra_args"] = {key: value for key, value in own.items() if "query" not in key}
    return settings


def _definitions(data: Any) -> list[_Definition]:
    """Return the definitions in a file that may not follow the schema."""
    definitions = []
    for name, content in _entries(data).items():
        place: yaml_file.Path = ("metrics", name)
        if isinstance(content, list):
            definitions += [
                _Definition((*place, index), name, part) for index, part in enumerate(content)
            ]
        else:
            definitions.append(_Definition(place, name, content))
    return definitions


def _entries(data: Any) -> dict[str, Any]:
    metrics = data.get("metrics") if isinstance(data, dict) else None
    return metrics if isinstance(metrics, dict) else {}


def _find_empty_lists(document: yaml_file.Document) -> Iterator[errors.Mistake]:
    for name, content in _entries(document.data).items():
        if content == []:
            yield document.mistake(("metrics", name), "expected at least one definition")


def _check_extra_args(
    document: yaml_file.Document, definition: _Definition, collector: Collector
) -> list[errors.Mistake]:
    """Return the mistakes that the collector finds, even if other keys are wrong."""
    data = definition.data if isinstance(definition.data, dict) else {}
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(collector.extra_args)
    place: yaml_file.Path = (*definition.place, "extra_args")
    args, schema_mistakes = yaml_file.validate(document, place, data.get("extra_args"), adapter)
    if schema_mistakes:
        return []  # the entry has them already
    entry = MetricEntry(unit="any", extra_args=args, prorate=data.get("prorate") is True)
    mistakes = collector.validate(_build_metric(definition.name, entry))
    return [document.mistake((*place, key), text) for key, text in mistakes.items()]


def _build_metric(name: str, entry: MetricEntry) -> Metric:
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


def _find_duplicate_names(
    document: yaml_file.Document, definitions: list[_Definition]
) -> Iterator[errors.Mistake]:
    """Yield the definitions with a public name in use: price rules could not tell them apart."""
    by_name: dict[str, _Definition] = {}
    for definition in definitions:
        name = definition.public_name
        first = by_name.setdefault(name, definition)
        if first is not definition:
            key = yaml_file.key_text(first.place[1:])
            text = f"public name {name!r} is already used by {key!r}"
            yield document.mistake(definition.place, text)
