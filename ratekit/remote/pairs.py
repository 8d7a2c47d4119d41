"""Arguments that are pairs of names and values."""

from __future__ import annotations

from collections.abc import Collection, Mapping


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


def _is_plain(text: str) -> bool:
    return text == text.strip() and "," not in text
