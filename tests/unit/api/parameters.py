"""Random requests for any operation, from the model of its arguments."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from ratekit.api.operation import Operation

_TIMES = [
    "2026-03-01", "2026-03-01 01:00:00+00:00", "2026-03-01T01:30:00.123456", "2026-04-01",
    "2026-03-01T23:59:59", "20260301T020000Z", ]  # fmt: skip
_WRONG = ["-1", "1000000000", "1970-01-01", "9999-12-31T23:59:59", "yesterday", "time-x", "*"]
_HOSTILE = [
    "'", '"', "' OR '1'='1", "a\0b", "%", "_", "*", "\u202eid", "\ud83d", "İ", "e\u0301",
    ",", ":", "a" * 300, "null", "ALL", "true",
]  # fmt: skip
_GROUPS = [
    "type", "metric", "scope", "project_id", "tenant_id", "res_type", "id", "resource_id",
    "time", "time-h", "time-d", "time-w", "time-m", "time-y", "period", "flavor",
    "tenant_id,res_type",
]  # fmt: skip
#: Values of arguments whose type says little.
_NAMED: dict[str, st.SearchStrategy[Any]] = {
    "custom_fields": st.sampled_from(["SUM(price) AS x", "SUM(qty) AS q, COUNT(qty) AS n"]),
}
_FILTERS = ["project_id", "scope", "type", "metric", "id", "resource_id", "flavor", "tenant_id"]
_VARIABLE = re.compile(r"{(\w+)}")


@dataclasses.dataclass(frozen=True)
class Request:
    """A request without its sender.

    :ivar path: with its arguments
    """

    path: str
    query: Mapping[str, object]
    body: Mapping[str, object] | None


def requests(operation: Operation, words: Sequence[str]) -> st.SearchStrategy[Request]:
    """Return requests with any arguments at any place.

    :param words: names, IDs and labels of tenants; each may stand in every argument
    """
    names = operation.arguments.model_json_schema()["properties"] if _has_fields(operation) else {}
    in_path = _VARIABLE.findall(operation.path)
    texts = st.sampled_from(words) | st.sampled_from([*words, *_HOSTILE]) | st.text(max_size=5)
    values = st.fixed_dictionaries(
        {name: _values(texts, name, names.get(name, {})).map(_path_text) for name in in_path},
        optional={
            name: _values(texts, name, schema)
            for name, schema in names.items()
            if name not in in_path
        },
    )
    return st.builds(_build, st.just(operation), values, st.booleans())


def requests_of_values(operation: Operation, values: Sequence[Any]) -> Iterator[Request]:
    """Yield requests with each value in each argument, in the query and in the body."""
    in_path = dict.fromkeys(_VARIABLE.findall(operation.path), "-")
    for name in operation.arguments.model_fields:
        for value in values:
            text = _path_text(value) if name in in_path else value
            yield _build(operation, {**in_path, name: text}, as_body=False)
            yield _build(operation, {**in_path, name: text}, as_body=True)


def _has_fields(operation: Operation) -> bool:
    return bool(operation.arguments.model_fields)


def _values(texts: st.SearchStrategy[str], name: str, schema: Any) -> st.SearchStrategy[Any]:
    """Return values for one argument: mostly of its type, and sometimes of any."""
    words = st.sampled_from([*_GROUPS, *_FILTERS]) | texts
    pairs = st.builds("{}:{}".format, st.sampled_from(_FILTERS), texts)
    several = st.lists(texts, min_size=1, max_size=3)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "date-time": st.sampled_from(_TIMES),
        "boolean": st.sampled_from(["true", "False", "1"]),
        "integer": st.sampled_from(["1", "2", "100"]),
        "pairs": st.lists(pairs, min_size=1, max_size=3) | pairs,
        "array": st.lists(words, min_size=1, max_size=3) | words,
        "string": texts,
    }
    fitting = _NAMED.get(name, kinds[_kind(schema)])
    if enum := re.search(r"'enum': (\[[^]]*\])", repr(schema)):
        fitting = st.sampled_from(re.findall(r"'(\w+)'", enum[1]))
    others = words | pairs | several | several.map(",".join) | st.sampled_from(_WRONG)
    return st.integers(0, 9).flatmap(lambda dice: fitting if dice else others)


def _kind(schema: Any) -> str:
    text = repr(schema)
    if "^[^:]+:" in text:
        return "pairs"
    for kind in ("date-time", "boolean", "integer", "array"):
        if f"'{kind}'" in text:
            return kind
    return "string"


def _path_text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _build(operation: Operation, values: dict[str, Any], as_body: bool) -> Request:
    path = operation.path
    for name in _VARIABLE.findall(path):
        text = values.pop(name) or "-"
        path = path.replace(f"{{{name}}}", quote(text.encode("utf-8", "replace"), safe=""))
    if as_body and values:
        return Request(path, {}, values)
    return Request(path, {name: _clean(value) for name, value in values.items()}, None)


def _clean(value: Any) -> Any:
    """Return a value that can be in a URL: no surrogates."""
    if isinstance(value, list):
        return [_clean(entry) for entry in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
