"""Arguments that are pairs of names and values."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ratekit.domain.reporting.reports import ALL_SCOPES, Selection


def encode_pairs(
    argument: str, pairs: Mapping[str, Collection[str]]
) -> tuple[Mapping[str, object] | None, Mapping[str, object]]:
    """Return the body and the query of a request, one of which has these pairs.

    A query is short and passes all proxies, but the API splits it at commas and cuts spaces.

    :param pairs: values by name
    """
    entries = [(name, value) for name, values in pairs.items() for value in values]
    if all(_is_plain(name) and ":" not in name and _is_plain(value) for name, value in entries):
        return None, {argument: [f"{name}:{value}" for name, value in entries]}
    return {argument: {name: list(values) for name, values in pairs.items()}}, {}


def encode_filters(
    selection: Selection,
) -> tuple[Mapping[str, object] | None, Mapping[str, object]]:
    """Return the body and the query of a request, one of which selects metrics and scopes."""
    filters: dict[str, Collection[str]] = {}
    if selection.metrics:
        filters["metric"] = selection.metrics
    if selection.scopes is not ALL_SCOPES:
        filters["scope"] = sorted(selection.scopes)
    return encode_pairs("filters", filters)


def _is_plain(text: str) -> bool:
    return text == text.strip() and "," not in text
