"""Benches with an empty database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.empty_database import create_empty
from tests.reprocessing_bench import ReprocessingBench

NewBench = Callable[[], ReprocessingBench]


@pytest.fixture(scope="module")
def new_bench(tmp_path_factory: pytest.TempPathFactory) -> NewBench:
    """Return a function that builds benches with an empty database."""

    def make() -> ReprocessingBench:
        folder = tmp_path_factory.mktemp("bench")
        return ReprocessingBench(create_empty(folder / "ratekit.sqlite"))

    return make


@pytest.fixture
def bench(new_bench: NewBench) -> ReprocessingBench:
    """A bench with an empty database."""
    return new_bench()
