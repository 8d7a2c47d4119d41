"""The wheel, built and installed as README says, has all that an operator starts with."""

from __future__ import annotations

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest

REPO = pathlib.Path(__file__).parents[2]
#: What the build reads. Not the whole clone: a build leaves files beside its source.
SOURCES = ("setup.cfg", "setup.py", "README.rst", "LICENSE", "ratekit", "etc")
SAMPLES = {
    "ratekit.conf": 0o640,
    "policy.yaml.sample": 0o644,
    "metrics.yml": 0o644,
    "metrics.schema.json": 0o644,
    "hashmap.yml": 0o644,
    "hashmap.schema.json": 0o644,
    "ratekit-processor.service": 0o644,
    "ratekit-api.service": 0o644,
}


def run(*argv: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Run a program outside of the clone, whose own metadata would be read."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        argv, cwd="/", env=environ, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The wheel; pip may have to fetch setuptools for it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (REPO / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPO / name, source / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(REPO / name, source)
    build = run(
        *(sys.executable, "-m", "pip", "wheel", "--use-pep517", "--quiet", "--no-deps"),
        *("--wheel-dir", target, source),
    )
    if build.returncode and not os.environ.get("CI"):
        pytest.skip(f"the wheel cannot be built here: {build.stderr.strip().splitlines()[-1]}")
    assert build.returncode == 0, build.stderr
    (path,) = target.iterdir()
    return path


@pytest.fixture(scope="module")
def scripts(wheel: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The programs of the wheel in an environment with a space in its path.

    It has this one's libraries.
    """
    prefix = tmp_path_factory.mktemp("an installation")
    venv.create(prefix, with_pip=False)
    packages = prefix / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    install = run(
        *(sys.executable, "-m", "pip", "--python", prefix / "bin/python", "install"),
        *("--quiet", "--no-deps", "--no-index", "--force-reinstall", wheel),
    )
    assert install.returncode == 0, install.stderr
    return prefix / "bin"


def test_the_distribution_has_a_name_of_its_own(wheel: pathlib.Path) -> None:
    assert wheel.name.startswith("ratekit_openstack-")


def test_pages_have_their_templates_and_styles(wheel: pathlib.Path) -> None:
    folder = REPO / "ratekit/html"
    files = {
        f"ratekit/html/{path.relative_to(folder)}"
        for path in [*folder.glob("templates/*"), *folder.glob("static/*")]
    }
    assert len(files) > 10
    assert files <= set(zipfile.ZipFile(wheel).namelist())


def test_sample_files_are_laid_out_once(scripts: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "etc" / "ratekit"
    answer = run(scripts / "ratekit", "sample-config", folder)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.split() == [str(folder / name) for name in SAMPLES]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == SAMPLES
    for name in ("metrics.yml", "hashmap.yml", "metrics.schema.json", "hashmap.schema.json"):
        assert (folder / name).read_bytes() == (REPO / "etc/ratekit" / name).read_bytes()
    for program in ("ratekit-processor", "ratekit-api"):
        unit = (folder / f"{program}.service").read_text()
        assert f'\nExecStart="{scripts}/{program}" --config-file /etc' in unit


def test_the_installed_sample_files_can_be_used(
    scripts: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    run(scripts / "ratekit", "sample-config", tmp_path)
    conf = tmp_path / "ratekit.conf"
    text = conf.read_text()
    for option, value in (
        ("metrics_conf", tmp_path / "metrics.yml"),
        ("connection", f"sqlite:///{tmp_path}/r.sqlite"),
    ):
        line = next(line for line in text.splitlines() if line.startswith(f"#{option} = "))
        text = text.replace(line, f"{option} = {value}")
    conf.write_text(text)
    for program, *words in (
        ("ratekit-dbsync", "upgrade"),
        ("ratekit", "--config-file", conf, "metric", "check", "--offline"),
        ("ratekit", "--config-file", conf, "hashmap", "apply", tmp_path / "hashmap.yml", "--yes"),
    ):
        options = [*words, "--config-file", conf] if program == "ratekit-dbsync" else words
        answer = run(scripts / program, *options)
        assert answer.returncode == 0, answer.stderr
    version = run(scripts / "ratekit-processor", "--version")
    assert version.returncode == 0, version.stderr
