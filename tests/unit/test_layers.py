"""The layers: which room may import which, and what an import may do."""

import ast
import pathlib
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "ratekit"
#: Rooms of plug-ins.
PLUGINS = {"fetchers", "collectors", "rating"}


def name_of(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def import_targets(node: ast.AST) -> Iterator[str]:
    """Yield the modules that one import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        module = node.module or ""
        for alias in node.names:
            inner = f"{module}.{alias.name}"
            yield inner if inner in MODULES else module


IMPORTS = {
    name: {module for node in ast.walk(tree) for module in import_targets(node)}
    for name, tree in TREES.items()
}


OUTSIDE_COMMANDS = [name for name in MODULES if not name.startswith("ratekit.cmd")]


def internal(name: str) -> set[str]:
    """Return what a module imports of ratekit."""
    return {module for module in IMPORTS[name] if module.partition(".")[0] == "ratekit"}


def load_targets(name: str) -> set[str]:
    """Return the modules of ratekit that a module imports when it is imported itself."""
    nodes = statements(TREES[name].body)
    return {target for node in nodes for target in import_targets(node)} & MODULES.keys()


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def modules(*packages: str) -> list[str]:
    names = [name for name in MODULES if room(name) in packages]
    assert names
    return names


def libraries(name: str) -> set[str]:
    """Return the third-party libraries that a module imports."""
    tops = {module.partition(".")[0] for module in IMPORTS[name]}
    return tops - sys.stdlib_module_names - {"ratekit"}


def users(library: str) -> set[str]:
    return {name for name in MODULES if any(within(module, library) for module in IMPORTS[name])}


# Imports ------------------------------------------------------------------------------------

#: Rooms by rows, entry points first; a room may import the rows below its own.
ROWS: Sequence[Collection[str]] = (
    {"wsgi"},
    {"cmd"},
    {"dashboard"},
    {"api"},
    {"export"},
    {"html"},
    {"admin", "composition", "daemon"},
    {"fetchers", "collectors", "storage", "remote", "rating", "processing", "pricing", "files"},
    {
        "interfaces",
        "conf",
        "coordination",
        "plugins",
        "keystone",
        "http_clock",
        "http_errors",
        "http_limits",
        "concurrency",
    },
    {"domain", "errors", "text", "redact", "bounded_file"},
)
#: Imports between rooms of one row.
BESIDE = {
    ("processing", "pricing"),
    ("files", "pricing"),
    ("keystone", "http_errors"),
    ("keystone", "http_limits"),
    ("http_clock", "http_errors"),
    # Options of plug-ins are registered, checked and listed by the core.
    ("plugins", "interfaces"),
    ("conf", "interfaces"),
    ("conf", "plugins"),
    ("conf", "keystone"),
    ("conf", "coordination"),
}
_HTTP = {"http_clock", "http_errors"}
#: Rooms that may import less than all rows below them, and what they may import.
NARROW: Mapping[str, Collection[str]] = {
    "html": {"domain", "text"},
    "domain": {"text"},
    "text": set(),
    "redact": {"text"},
    "bounded_file": {"errors"},
    "errors": set(),
    "interfaces": {"domain"},
    "coordination": {"domain", "errors", "text", "redact"},
    "rating": {"interfaces", "domain", "errors", "text"},
    "pricing": {"interfaces", "domain", "errors", "text"},
    "processing": {"interfaces", "domain", "errors", "text", "pricing"},
    "storage": {"interfaces", "domain", "errors", "text"},
    "remote": {"interfaces", "domain", "errors", "text", "redact", "http_errors"},
    "fetchers": {"interfaces", "domain", "errors", "text", "keystone", "http_clock"},
    "collectors": {"interfaces", "domain", "errors", "text", "keystone", "http_limits", *_HTTP},
}
#: Rooms that need no third-party library.
PURE = {"domain", "errors", "interfaces", "pricing", "processing", "rating", "text"}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def row(name: str) -> int:
    [index] = [index for index, rooms in enumerate(ROWS) if name in rooms]
    return index


def importable_rooms(source: str) -> set[str]:
    if source in NARROW:
        return set(NARROW[source])
    below = {name for rooms in ROWS[row(source) + 1 :] for name in rooms}
    return below | {target for origin, target in BESIDE if origin == source}


def test_the_rows_have_every_room() -> None:
    rooms = {room(name) for name in MODULES} - {""}
    assert rooms == {name for names in ROWS for name in names}


@pytest.mark.parametrize("source", sorted(name for names in ROWS for name in names))
def test_a_room_imports_only_rows_below_it(source: str) -> None:
    for name in modules(source):
        targets = {room(module) for module in internal(name)} - {source, ""}
        assert targets <= importable_rooms(source), name


@pytest.mark.parametrize("source", sorted(PURE))
def test_a_pure_room_needs_no_library(source: str) -> None:
    for name in modules(source):
        assert libraries(name) == set(), name


def test_a_driver_never_knows_another_driver() -> None:
    for name in modules("fetchers", "collectors"):
        driver = ".".join(name.split(".")[:3])
        targets = {module for module in internal(name) if room(module) == room(name)}
        assert all(within(module, driver) for module in targets), name


def test_plug_ins_are_loaded_by_their_names_only() -> None:
    """They come through stevedore, so that nothing outside of their own room imports one."""
    for name in MODULES:
        targets = {room(module) for module in internal(name)} - {room(name)}
        assert not targets & PLUGINS, name


def test_what_commands_need_first_imports_no_slow_library() -> None:
    """Commands start fast: the parts that need these libraries are imported when they are used."""
    modules = {"ratekit.composition", "ratekit.conf.checking.values", "ratekit.cmd.configuration"}
    while targets := {target for name in modules for target in load_targets(name)} - modules:
        modules |= targets
    slow = {"keystoneauth1", "gnocchiclient", "sqlalchemy", "eventlet"}
    assert not {name for library in slow for name in users(library)} & modules


def test_only_commands_know_the_storage() -> None:
    for name in MODULES:
        targets = {room(module) for module in internal(name)} - {room(name)}
        if "storage" in targets:
            assert within(name, "ratekit.cmd"), name


@pytest.mark.parametrize(
    ("library", "users_allowed"),
    [
        ("eventlet", {"ratekit.concurrency", "ratekit.cmd.processor"}),
        ("stevedore", {"ratekit.plugins"}),
        ("simpleeval", {"ratekit.files.skip_expression"}),
        ("tooz", {name for name in MODULES if within(name, "ratekit.coordination")}),
        ("yaml", {"ratekit.files.yaml_nodes"}),
        ("openstack", {"ratekit.remote.connection"}),
        ("gnocchiclient", {name for name in MODULES if ".collectors.gnocchi" in name}),
        ("plotext", {"ratekit.cmd.output.bar_chart"}),
        ("pyarrow", {"ratekit.export.focus.parquet_file"}),
        ("sqlalchemy", {name for name in MODULES if within(name, "ratekit.storage")}),
        ("alembic", {name for name in MODULES if within(name, "ratekit.storage")}),
    ],
)
def test_a_library_is_imported_where_it_can_be_replaced(
    library: str, users_allowed: set[str]
) -> None:
    assert users(library) <= users_allowed
    assert users(library)


def test_no_modules_import_each_other_in_a_ring() -> None:
    edges = {name: internal(name) & MODULES.keys() for name in MODULES}
    # The __init__ of a package, which is imported before its modules, does not count.
    for name, targets in edges.items():
        targets -= {name, "ratekit"}
    while edges:
        leaves = {name for name, targets in edges.items() if not targets & edges.keys()}
        assert leaves, f"a ring among {sorted(edges)}"
        edges = {name: targets for name, targets in edges.items() if name not in leaves}


# Effects ------------------------------------------------------------------------------------


def test_nothing_is_imported_inside_a_function() -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    for name in OUTSIDE_COMMANDS:
        inside = [
            node.lineno
            for function in ast.walk(TREES[name])
            if isinstance(function, functions)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert inside == [], name


def test_there_is_no_global_configuration() -> None:
    for name, tree in TREES.items():
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "CONF" not in used, name


def test_no_text_is_executed() -> None:
    for name, tree in TREES.items():
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & {"eval", "exec", "compile", "__import__"}, name


def is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run on import, those of classes and conditions included."""
    for node in body:
        if is_main_guard(node):
            continue
        yield node
        if isinstance(node, ast.ClassDef | ast.If | ast.With | ast.For | ast.While):
            yield from statements(node.body)
            yield from statements(getattr(node, "orelse", []))
        elif isinstance(node, ast.Try):
            yield from statements([*node.body, *node.orelse, *node.finalbody])


def test_importing_does_nothing() -> None:
    # alembic runs its environment; that is what it is for.
    for name in TREES.keys() - {"ratekit.storage.migrations.env"}:
        acting = [
            node.lineno
            for node in statements(TREES[name].body)
            if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
            or isinstance(node, ast.For | ast.While | ast.With)
        ]
        assert acting == [], name
