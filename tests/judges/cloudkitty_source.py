"""CloudKitty's source, whose test files are in no other package; nothing of it is imported."""

from __future__ import annotations

import ast
import functools
import pathlib
import tarfile
from collections.abc import Mapping
from typing import Any

from tests.judges import environments

_VERSION = "25.0.0"


@functools.cache
def tests_folder() -> pathlib.Path:
    """Return the folder of CloudKitty's tests, downloaded when it is first needed."""
    programs = environments.programs("gabbi")
    folder = environments.judges_folder() / f"cloudkitty-{_VERSION}"
    with environments.lock("cloudkitty"):
        if not folder.exists():
            environments.pip(
                programs,
                *("download", "--no-deps", "--no-binary", ":all:"),
                *("--dest", str(environments.judges_folder()), f"cloudkitty=={_VERSION}"),
            )
            _unpack(pathlib.Path(f"{folder}.tar.gz"))
    return folder / "cloudkitty/tests"


def _unpack(path: pathlib.Path) -> None:
    """Unpack an archive beside itself, without links to elsewhere where Python can tell them."""
    with tarfile.open(path) as archive:
        # Python 3.11.3 and older have no filters.
        safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(path.parent, **safe)


def gabbi_files() -> Mapping[str, pathlib.Path]:
    """Return gabbi's files by name, without ``.yaml``."""
    return {path.stem: path for path in tests_folder().glob("gabbi/**/gabbits/*.yaml")}


def metrics() -> Mapping[str, Any]:
    """Return the content of the metrics.yml that CloudKitty's tests use."""
    tree = ast.parse((tests_folder() / "samples.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFAULT_METRICS_CONF":
            content: Mapping[str, Any] = ast.literal_eval(node.value)
            return content
    raise AssertionError("CloudKitty's samples have no DEFAULT_METRICS_CONF")
