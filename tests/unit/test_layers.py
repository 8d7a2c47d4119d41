"""The arrows of style.md: who may import whom, and what an import may do."""

import ast
import pathlib
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "ratekit"
DRIVERS = ("fetchers", "collectors", "rating", "storage")
SHARED = {"ratekit", "ratekit.interfaces", "ratekit.errors", "ratekit.domain"}


def name_of(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imported(node: ast.AST) -> Iterator[str]:
    """Modules that one import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        module = node.module or ""
        for alias in node.names:
            inner = f"{module}.{alias.name}"
            yield inner if inner in MODULES else module


IMPORTS = {
    name: {module for node in ast.walk(tree) for module in imported(node)}
    for name, tree in TREES.items()
}


OUTSIDE_COMMANDS = [name for name in MODULES if not name.startswith("ratekit.cmd")]


def own(name: str) -> set[str]:
    """What a module imports of ratekit."""
    return {one for one in IMPORTS[name] if one.partition(".")[0] == "ratekit"}


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def modules(*packages: str) -> list[str]:
    found = [name for name in MODULES if within(name, *(f"ratekit.{one}" for one in packages))]
    assert found
    return found


def strangers(name: str, *allowed: str) -> set[str]:
    return {one for one in own(name) if not within(one, *allowed)} - {"ratekit"}


def libraries(name: str) -> set[str]:
    """What a module imports from outside of ratekit and the standard library."""
    tops = {one.partition(".")[0] for one in IMPORTS[name]}
    return tops - sys.stdlib_module_names - {"ratekit"}


def users(library: str) -> set[str]:
    return {name for name in MODULES if any(within(one, library) for one in IMPORTS[name])}


# Arrows -------------------------------------------------------------------------------------


def test_the_domain_knows_the_standard_library_and_itself() -> None:
    for name in modules("domain"):
        assert strangers(name, "ratekit.domain") == set(), name
        assert libraries(name) == set(), name


def test_errors_know_nobody_and_interfaces_know_the_domain_only() -> None:
    assert own("ratekit.errors") == set()
    for name in ("ratekit.interfaces", "ratekit.storage_interface"):
        assert strangers(name, "ratekit.domain") == set(), name


def test_the_orchestrator_knows_interfaces_domain_and_errors() -> None:
    allowed = (
        "ratekit.interfaces",
        "ratekit.storage_interface",
        "ratekit.domain",
        "ratekit.errors",
    )
    order = (
        "ratekit.trying",
        "ratekit.pricing",
        "ratekit.repricing",
        "ratekit.rater",
        "ratekit.anew",
        "ratekit.cycle",
        "ratekit.reprocessing",
        "ratekit.orchestrator",
    )
    for index, name in enumerate(order):
        assert strangers(name, *allowed, *order[:index]) == set(), name
        assert libraries(name) == set(), name


def test_a_driver_knows_the_interfaces_and_never_another_driver() -> None:
    for name in modules(*DRIVERS):
        parts = name.split(".")
        allowed = [
            "ratekit.interfaces",
            "ratekit.storage_interface",
            "ratekit.domain",
            "ratekit.errors",
        ]
        if parts[1] in ("fetchers", "collectors"):
            # Two fetchers are two drivers, though they share a folder.
            allowed += ["ratekit.keystone", ".".join(parts[:3])]
        else:
            allowed.append(".".join(parts[:2]))
        assert strangers(name, *allowed) == set(), name


def test_rating_is_arithmetic_without_libraries() -> None:
    for name in modules("rating"):
        assert libraries(name) == set(), name


def test_nothing_but_commands_knows_the_commands() -> None:
    for name in OUTSIDE_COMMANDS:
        assert not any(within(one, "ratekit.cmd") for one in own(name)), name


def test_options_know_options_and_errors_only() -> None:
    for name in modules("conf"):
        assert strangers(name, "ratekit.conf", "ratekit.errors") == set(), name


def test_only_the_composition_knows_the_drivers_and_only_by_name() -> None:
    """Plug-ins come through stevedore, so nobody imports one."""
    packages = [f"ratekit.{one}" for one in DRIVERS]
    for name in MODULES:
        if within(name, *packages, "ratekit.cmd"):
            continue
        assert not any(within(one, *packages) for one in own(name)), name


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("eventlet", {"ratekit.concurrency", "ratekit.cmd.processor"}),
        ("stevedore", {"ratekit.plugins"}),
        ("simpleeval", {"ratekit.files.skipping"}),
        ("yaml", {"ratekit.files.yaml_file"}),
        ("gnocchiclient", {name for name in MODULES if ".collectors.gnocchi" in name}),
        ("sqlalchemy", {name for name in MODULES if within(name, "ratekit.storage")}),
        ("alembic", {name for name in MODULES if within(name, "ratekit.storage")}),
    ],
)
def test_a_library_is_imported_where_it_can_be_replaced(library: str, allowed: set[str]) -> None:
    assert users(library) <= allowed
    assert users(library)


def test_no_modules_import_each_other_in_a_ring() -> None:
    edges = {name: {one for one in own(name) if one in MODULES} for name in MODULES}
    # An __init__ that is imported on the way to a module below it is no arrow.
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
