"""Benches with an empty database."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from ratekit.storage import migrate
from tests.reprocessing_bench import ReprocessingBench

NewBench = Callable[[], ReprocessingBench]


@pytest.fixture(scope="module")
def new_bench(tmp_path_factory: pytest.TempPathFactory) -> NewBench:
    """Return a function that builds benches with an empty database."""
    empty = tmp_path_factory.mktemp("empty") / "ratekit.sqlite"
    migrate.upgrade(f"sqlite:///{empty}")

    def make() -> ReprocessingBench:
        folder = tmp_path_factory.mktemp("bench")
        return ReprocessingBench(f"sqlite:///{shutil.copy(empty, folder)}")

    return make


@pytest.fixture
def bench(new_bench: NewBench) -> ReprocessingBench:
    """A bench with an empty database."""
    return new_bench()
