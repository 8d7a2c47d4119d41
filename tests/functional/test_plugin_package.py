"""A plug-in of another package: one entry point, options of its own, and an exact bill.

The package is the example of the documentation. No cloud and no network are needed.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal

import pytest

EXAMPLE = pathlib.Path(__file__).parents[2] / "doc/examples/flatfile"
#: What ``pip install`` does with the package, without its need of a network.
INSTALL = "import setuptools; setuptools.setup()"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the installed package."""
    source = tmp_path_factory.mktemp("source") / "flatfile"
    shutil.copytree(EXAMPLE, source)
    target = tmp_path_factory.mktemp("packages")
    subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-c", INSTALL, "--quiet"),
            *("egg_info", "--egg-base", target, "build_py", "--build-lib", target),
        ],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return target


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder with the example's configuration, usage and price rules."""
    for name in ("ratekit.conf", "metrics.yml", "rules.yml", "usage.csv"):
        shutil.copy(EXAMPLE / name, tmp_path)
    return tmp_path


@pytest.fixture
def run(packages: pathlib.Path, folder: pathlib.Path) -> Run:
    """Run a program of ratekit in the folder."""
    # Modules in the folder hide those of the package.
    path = os.pathsep.join([str(folder), str(packages), os.environ.get("PYTHONPATH", "")])
    environ = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(folder / "cache")}
    environ["TZ"] = "UTC"

    def run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                pathlib.Path(sys.executable).with_name(program),
                "--config-file",
                "ratekit.conf",
                *options,
            ],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def change(folder: pathlib.Path, old: str, new: str) -> int:
    """Replace a line of the configuration; return the number of the new text's last line."""
    path = folder / "ratekit.conf"
    before, after = path.read_text(encoding="utf-8").split(old)
    path.write_text(before + new + after, encoding="utf-8")
    return (before + new).count("\n") + 1


def test_usage_of_the_plugin_becomes_an_exact_bill(run: Run) -> None:
    assert run("ratekit-dbsync", "upgrade").returncode == 0
    assert run("ratekit", "hashmap", "apply", "rules.yml", "--yes").returncode == 0
    rating = run("ratekit-processor", "--once")
    assert (rating.returncode, rating.stdout) == (0, "")
    assert "8 frames in " in rating.stderr.splitlines()[-1]
    options = "--groupby scope,metric,day --begin 2026-01-01 --end 2026-01-03 --timezone UTC"
    summary = run("ratekit", "summary", *options.split(), "-f", "json")
    prices = {
        (row["Scope"], row["Metric"], row["Day"]): Decimal(row["Price"])
        for row in json.loads(summary.stdout)
    }
    assert prices == {
        # 24 h of a small server and 24 h of a large one
        ("alpha", "instance", "2026-01-01"): Decimal("2.40"),
        ("alpha", "instance", "2026-01-02"): Decimal("1.92"),
        ("beta", "instance", "2026-01-01"): Decimal("0.24"),
        # 512 + 512 MiB, 1 MiB and 3 MiB
        ("alpha", "network", "2026-01-01"): Decimal("0.1"),
        ("alpha", "network", "2026-01-02"): Decimal("0.00009765625"),
        ("beta", "network", "2026-01-01"): Decimal("0.00029296875"),
    }
    bill = run("ratekit", "summary", "--begin", "2026-01-01", "--end", "2026-02-01")
    assert bill.stdout == (EXAMPLE / "summary.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        (
            "path = usage.csv",
            "path = usage.csv\ndelimiter = tab",
            "[collector_flatfile] delimiter: expected one of comma, semicolon, not 'tab'",
        ),
        (
            "path = usage.csv",
            "path = none.csv",
            "[collector_flatfile] path: none.csv cannot be read; expected a CSV file",
        ),
        (
            "collector = flatfile",
            "collector = flatfil",
            "[collect] collector: unknown plug-in 'flatfil' (did you mean 'flatfile'?); "
            "known: flatfile, gnocchi",
        ),
    ],
)
def test_a_wrong_option_of_the_plugin_is_one_line(
    old: str, new: str, mistake: str, run: Run, folder: pathlib.Path
) -> None:
    line = change(folder, old, new)
    rating = run("ratekit-processor", "--once")
    assert (rating.returncode, rating.stdout) == (2, "")
    assert rating.stderr == f"ratekit-processor: ratekit.conf:{line}: {mistake}\n"


def test_a_plugin_that_cannot_be_imported_is_one_line_among_the_others(
    run: Run, folder: pathlib.Path
) -> None:
    (folder / "ratekit_flatfile.py").write_text("import no_such_library\n", encoding="utf-8")
    line = change(folder, "scopes = alpha, beta", "scopes =")
    rating = run("ratekit-processor", "--once")
    assert rating.returncode == 2
    assert rating.stderr.splitlines() == [
        "ratekit-processor: ratekit.conf:5: [collect] collector: plug-in 'flatfile' cannot be "
        "loaded: No module named 'no_such_library'",
        f"ratekit-processor: ratekit.conf:{line}: [fetcher_static] scopes: is empty; expected ids "
        "separated by commas",
    ]


def test_a_misspelt_option_of_the_plugin_is_a_warning(run: Run, folder: pathlib.Path) -> None:
    line = change(folder, "path = usage.csv", "path = usage.csv\ndelimeter = comma")
    with (folder / "ratekit.conf").open("a", encoding="utf-8") as file:
        file.write("[rating]\nwithout_rules = free\n")
    run("ratekit-dbsync", "upgrade")
    rating = run("ratekit-processor", "--once")
    assert rating.returncode == 0
    assert f"ratekit.conf:{line}: [collector_flatfile] delimeter: unknown option" in rating.stderr


def test_commands_read_the_options_of_the_plugin(run: Run, folder: pathlib.Path) -> None:
    check = run("ratekit", "metric", "check")
    assert (check.returncode, check.stderr) == (0, "")
    line = change(folder, "path = usage.csv", "path = none.csv")
    check = run("ratekit", "metric", "check")
    assert check.returncode == 2
    assert check.stderr.startswith(f"ratekit: ratekit.conf:{line}: [collector_flatfile] path: ")
