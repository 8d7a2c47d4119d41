"""YAML files that operators write: exact numbers, and the line of every mistake.

Numbers keep their text: a cost of ``0.020`` becomes
``Decimal('0.020')`` and never a binary float.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pydantic

from ratekit import errors
from ratekit.files import yaml_nodes
from ratekit.files.yaml_nodes import NodeKind, YamlNode

Path = tuple[str | int, ...]

# Longer numbers stay text, which is rejected where a number is expected: arithmetic with millions
# of digits takes minutes.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,99})\Z")
_DECIMAL = re.compile(r"[-+]?([0-9]{1,100}\.[0-9]{0,100}|\.[0-9]{1,100})([eE][-+]?[0-9]{1,3})?\Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """The content of a YAML file.

    :ivar file: path, as the caller wrote it
    :ivar data: dicts, lists, str, int, Decimal, bool and None
    :ivar lines: line of each place, from 1; the place of a value has its key's line
    :ivar mistakes: those that do not prevent reading the rest, such as duplicate keys
    """

    file: str
    data: Any
    lines: Mapping[Path, int]
    mistakes: tuple[errors.Mistake, ...] = ()

    def line(self, path: Path) -> int | None:
        """Return the line of ``path``, or of the nearest place that contains it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)

    def mistake(self, path: Path, expected: str) -> errors.Mistake:
        """Return a mistake at ``path``."""
        return errors.Mistake(self.file, self.line(path), key_text(path), expected)

    def raise_mistakes(self, mistakes: Iterable[errors.Mistake]) -> None:
        """Raise the document's own mistakes and ``mistakes``, if there are any.

        A key with a mistake of the document has no other mistake.

        :raises ratekit.errors.BadInput: with all of them, in the order of the file
        """
        keys = {mistake.key for mistake in self.mistakes}
        new_mistakes = (mistake for mistake in mistakes if mistake.key not in keys)
        all_mistakes = dict.fromkeys((*self.mistakes, *new_mistakes))
        if all_mistakes:
            raise errors.BadInput(sorted(all_mistakes, key=lambda mistake: mistake.line or 0))


def key_text(path: Path) -> str:
    """Write a place for people: ``('a', 0, 'b')`` is ``a[0].b``."""
    text = ""
    for part in path:
        word = part or "''" if isinstance(part, str) else f"[{part}]"
        text += f".{word}" if text and isinstance(part, str) else word
    return text


def read(path: str) -> Document:
    """Read a YAML file.

    :raises ratekit.errors.BadInput: the file is missing, unreadable, not YAML or too large
    """
    return _build(path, yaml_nodes.read(path))


def parse(path: str, text: str) -> Document:
    """Read YAML from a text.

    :param path: where it is from, for messages
    :raises ratekit.errors.BadInput: it is not YAML or too large
    """
    return _build(path, yaml_nodes.parse(path, text))


def _build(path: str, root: YamlNode | None) -> Document:
    builder = _Builder(path)
    data = builder.build(root, ()) if root is not None else None
    return Document(path, data, builder.lines, tuple(builder.mistakes))


class _Builder:
    """Turns YAML nodes into plain data and records the line of each."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: set[int] = set()
        self.lines: dict[Path, int] = {}
        self.mistakes: list[errors.Mistake] = []

    def build(self, node: YamlNode, path: Path) -> Any:
        self.lines.setdefault(path, node.line)
        if node.kind is NodeKind.SCALAR:
            return _scalar(node)
        if id(node) in self._open:
            self._add_mistake(node, path, "must not contain itself")
            return None
        self._open.add(id(node))
        try:
            if node.kind is NodeKind.SEQUENCE:
                return [self.build(item, (*path, index)) for index, item in enumerate(node.items)]
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: YamlNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        keys: set[str] = set()
        for key_node, value_node in _merge_keys_first(node):
            if key_node.tag == "merge":
                data.update(self._merge(value_node, path))
                continue
            key = key_node.text
            if key_node.kind is not NodeKind.SCALAR:
                self._add_mistake(key_node, path, "keys must be plain text")
                continue
            if key in keys:
                self._add_mistake(key_node, (*path, key), "duplicate key")
                continue
            keys.add(key)
            if key in data:
                self._forget((*path, key), data[key])
            self.lines[(*path, key)] = key_node.line
            data[key] = self.build(value_node, (*path, key))
        return data

    def _forget(self, path: Path, value: Any) -> None:
        """Drop the lines of a merged value that the mapping itself replaces."""
        self.lines.pop(path, None)
        parts = value.items() if isinstance(value, dict) else ()
        for key, part in enumerate(value) if isinstance(value, list) else parts:
            self._forget((*path, key), part)

    def _merge(self, node: YamlNode, path: Path) -> dict[str, Any]:
        """Return the content of a ``<<`` key; earlier mappings take precedence, as in YAML."""
        nodes = node.items if node.kind is NodeKind.SEQUENCE else [node]
        data: dict[str, Any] = {}
        for part in reversed(nodes):
            content = self.build(part, path)
            if isinstance(content, dict):
                data.update(content)
            else:
                self._add_mistake(part, path, "expected a mapping after <<")
        return data

    def _add_mistake(self, node: YamlNode, path: Path, text: str) -> None:
        self.mistakes.append(errors.Mistake(self._file, node.line, key_text(path), text))


def _merge_keys_first(node: YamlNode) -> Iterator[tuple[YamlNode, YamlNode]]:
    """Yield ``<<`` before all other keys, so that they override it wherever it stands."""
    pairs = list(node.pairs())
    yield from (pair for pair in pairs if pair[0].tag == "merge")
    yield from (pair for pair in pairs if pair[0].tag != "merge")


def _scalar(node: YamlNode) -> str | int | Decimal | bool | None:
    text = node.text
    if node.tag == "null":
        return None
    if node.tag == "bool" and text.lower() in yaml_nodes.BOOLEANS:
        return yaml_nodes.BOOLEANS[text.lower()]
    # YAML 1.1 reads 010 as eight and 1:30 as ninety. Here both stay text, which is rejected
    # where a number is expected.
    if node.tag == "int" and _INTEGER.match(text):
        return int(text)
    if node.tag == "float" and _DECIMAL.match(text):
        return Decimal(text)
    return text


def validate(
    document: Document,
    at: Path,
    data: Any,
    adapter: pydantic.TypeAdapter[Any],
    hints: Mapping[str, str] | None = None,
) -> tuple[Any, list[errors.Mistake]]:
    """Return a part of a document as ``adapter``'s type, or None and its mistakes.

    :param at: the part's place
    :param data: the part
    :param hints: messages for some of the keys that the schema does not allow
    """
    try:
        return adapter.validate_python(data), []
    except pydantic.ValidationError as error:
        schema = adapter.json_schema()
        return None, [
            _explain(document, at, detail, schema, hints or {})
            for detail in error.errors(include_url=False)
        ]


def _explain(
    document: Document,
    at: Path,
    detail: Any,
    schema: dict[str, Any],
    hints: Mapping[str, str],
) -> errors.Mistake:
    # Pydantic adds [key] where a key itself is wrong.
    inner: Path = tuple(part for part in detail["loc"] if part != "[key]")
    path: Path = at + inner
    key = path[-1] if path else ""
    kind = detail["type"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        if key in hints:
            return document.mistake(path, hints[str(key)])
        hint = errors.suggestion(str(key), _schema_keys(schema, inner[:-1]))
        return document.mistake(path, f"unknown key{hint}")
    if kind in ("value_error", "assertion_error"):
        return document.mistake(path, str(detail["ctx"]["error"]))
    if kind in _MESSAGES:
        return document.mistake(path, _MESSAGES[kind])
    text = _EXPECTED.get(kind) or detail["msg"].replace("Input should be", "expected")
    return document.mistake(path, f"{text}, not {value_text(detail['input'])}")


#: Complete messages, by pydantic's types of error.
_MESSAGES = {
    "missing": "is required",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_MAPPING = "expected a mapping (key: value)"
_WHOLE_NUMBER = "expected a whole number"
_BOOLEAN = "expected true or false"
#: Messages that the value follows, by pydantic's types of error.
_EXPECTED = {
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "dict_type": _MAPPING,
    "list_type": "expected a list",
    "string_type": "expected a string",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
}


def value_text(value: Any) -> str:
    """Write a value of a document for people, in one short line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _schema_keys(schema: dict[str, Any], path: Path) -> list[str]:
    """Return the keys that the schema allows at ``path``."""
    node: dict[str, Any] = schema
    for part in (*path, None):
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        if part is None:
            break
        inner = node.get("items") if isinstance(part, int) else None
        inner = inner or node.get("properties", {}).get(part) or node.get("additionalProperties")
        if not isinstance(inner, dict):
            return []
        node = next((branch for branch in inner.get("anyOf", []) if "$ref" in branch), inner)
    return list(node.get("properties", {}))
