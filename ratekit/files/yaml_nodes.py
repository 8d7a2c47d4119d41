"""The nodes of a YAML file, composed within limits. No other module imports PyYAML.

PyYAML's own composer has no limits: a few lines of aliases stand for billions of values, and
each level of nesting takes a level of the interpreter's stack.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any

import yaml

from ratekit import bounded_file, errors

#: A rule takes about 100 bytes and 11 nodes: the limits leave room for 150,000 of them.
MAX_BYTES = 16 << 20
MAX_NODES = 2_000_000
#: metrics.yml and rule files need eight levels.
MAX_DEPTH = 50
# libyaml is a hundred times as fast, where PyYAML was built with it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: The spellings of true and false.
BOOLEANS: dict[str, bool] = yaml.SafeLoader.bool_values
_PREFIX = "tag:yaml.org,2002:"


class NodeKind(enum.Enum):
    """The kinds of nodes."""

    SCALAR = enum.auto()
    SEQUENCE = enum.auto()
    MAPPING = enum.auto()


@dataclasses.dataclass(slots=True, eq=False)
class YamlNode:
    """A value of a file, or a key.

    :ivar tag: YAML's type of a scalar, such as ``int``
    :ivar line: from 1
    :ivar text: of a scalar
    :ivar items: of a sequence; of a mapping the keys and values by turns
    :ivar size: number of nodes, with those of aliases counted where they are used
    """

    kind: NodeKind
    tag: str
    line: int
    text: str = ""
    items: list[YamlNode] = dataclasses.field(default_factory=list)
    size: int = 1

    def pairs(self) -> Iterator[tuple[YamlNode, YamlNode]]:
        """Yield the keys of a mapping with their values."""
        return zip(self.items[::2], self.items[1::2], strict=True)


def read(path: str) -> YamlNode | None:
    """Return the node that contains all others; None: the file is empty.

    :raises ratekit.errors.BadInput: the file cannot be read, is not YAML, or exceeds a limit
    """
    return parse(path, bounded_file.read_text(path, MAX_BYTES))


def parse(path: str, text: str) -> YamlNode | None:
    """Return the node that contains all others of a text; None: it is empty.

    :param path: where the text is from, for messages
    :raises ratekit.errors.BadInput: it is not YAML, or exceeds a limit
    """
    loader = _LOADER(text)
    composer = _Composer(path, loader)
    try:
        while loader.check_event():
            composer.add(loader.get_event())
    except yaml.MarkedYAMLError as error:
        # The end of a file is said to be on the line after the last.
        last_line = text.rstrip().count("\n") + 1
        line = min(_line(error.problem_mark), last_line)
        raise _bad_input(path, line, f"is not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise _bad_input(path, None, f"is not YAML: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()
    return composer.root


def _bad_input(path: str, line: int | None, text: str) -> errors.BadInput:
    return errors.BadInput([errors.Mistake(path, line, "", text)])


class _Composer:
    """Builds a tree of nodes from PyYAML's events.

    :ivar root: the node that contains all others, as far as it has been read
    """

    def __init__(self, path: str, loader: Any) -> None:
        self._path = path
        self._resolve = loader.resolve
        self._count = 0
        self._open: list[YamlNode] = []
        self._starts: list[int] = []
        self._anchors: dict[str, YamlNode] = {}
        self.root: YamlNode | None = None

    def add(self, event: yaml.Event) -> None:
        """Add what an event describes."""
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event), event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._start(YamlNode(NodeKind.SEQUENCE, "seq", _line(event.start_mark)), event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._start(YamlNode(NodeKind.MAPPING, "map", _line(event.start_mark)), event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop().size = self._count - self._starts.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._add_alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise self._error(event, "contains a second document; expected one")

    def _scalar(self, event: yaml.ScalarEvent) -> YamlNode:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._resolve(yaml.ScalarNode, event.value, event.implicit)
        return YamlNode(
            NodeKind.SCALAR, tag.removeprefix(_PREFIX), _line(event.start_mark), event.value
        )

    def _start(self, node: YamlNode, event: yaml.NodeEvent) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self._error(event, f"is nested too deeply; at most {MAX_DEPTH} levels are read")
        self._starts.append(self._count)
        self._add(node, event)
        self._open.append(node)

    def _add_alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor or ""
        if name not in self._anchors:
            raise self._error(event, f"is not YAML: undefined alias {name[:40]!r}")
        self._append(self._anchors[name], event)

    def _add(self, node: YamlNode, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._append(node, event)

    def _append(self, node: YamlNode, event: yaml.NodeEvent) -> None:
        self._count += node.size
        if self._count > MAX_NODES:
            raise self._error(
                event, f"has more than {MAX_NODES:,} values; each use of an alias counts"
            )
        if self._open:
            self._open[-1].items.append(node)
        else:
            self.root = node

    def _error(self, event: yaml.Event, text: str) -> errors.BadInput:
        return _bad_input(self._path, _line(event.start_mark), text)


def _line(mark: Any) -> int:
    """Return the line of a mark, from 1; PyYAML's types allow events without one."""
    return mark.line + 1 if mark else 1
