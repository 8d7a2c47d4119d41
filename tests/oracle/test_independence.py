"""The oracle is worth something only if it shares no code with ratekit."""

from __future__ import annotations

import ast
import pathlib
import sys
from collections.abc import Iterator

PACKAGE = pathlib.Path(__file__).parent
#: What it may import of the tests: itself, and the stack that it asks.
TESTS = ("tests.oracle", "tests.stack")
#: The modules that compute; the others fill Gnocchi, ask it and show differences.
ARITHMETIC = (
    *("model", "definition", "custom_query", "rating_time", "coverage", "gauges", "counters"),
    *("pools", "quantities"),
)


def imports(path: pathlib.Path) -> Iterator[str]:
    """Yield the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def reachable() -> dict[pathlib.Path, list[str]]:
    """Return the imports of the oracle, and of all that it imports of the tests."""
    root, result = PACKAGE.parents[1], dict[pathlib.Path, list[str]]()
    remaining = sorted(PACKAGE.glob("*.py"))
    while remaining:
        path = remaining.pop()
        if path in result:
            continue
        result[path] = list(imports(path))
        for name in result[path]:
            place = root.joinpath(*name.split("."))
            candidates = (place.with_suffix(".py"), place / "__init__.py", *place.glob("*.py"))
            if name.startswith("tests"):
                remaining += [candidate for candidate in candidates if candidate.exists()]
    return result


def test_the_oracle_imports_nothing_of_ratekit() -> None:
    modules = reachable()
    assert PACKAGE / "quantities.py" in modules
    assert PACKAGE.parent / "stack" / "stack.py" in modules
    for path, names in modules.items():
        for name in names:
            assert name.split(".")[0] != "ratekit", f"{path} imports {name}"
            assert not name.startswith("."), f"{path} has the relative import {name}"


def test_the_arithmetic_imports_nothing_but_the_oracle_and_the_standard_library() -> None:
    for path in PACKAGE.glob("*.py"):
        for name in imports(path):
            assert not name.startswith("tests") or name.startswith(TESTS), f"{path}: {name}"
    oracle = {"tests.oracle", *(f"tests.oracle.{module}" for module in ARITHMETIC)}
    for module in ARITHMETIC:
        for name in imports(PACKAGE / f"{module}.py"):
            root = name.partition(".")[0]
            assert name in oracle or root in sys.stdlib_module_names, f"{module}: {name}"


def test_the_oracle_never_asks_for_aggregates() -> None:
    # It is what ratekit reads; in two pieces, so that this file is no hit.
    path = "/v1/" + "aggregates"
    assert not [file for file in PACKAGE.glob("*.py") if path in file.read_text(encoding="utf-8")]
