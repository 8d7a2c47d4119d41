"""The real cloud, the undisturbed truth, and trials beside it."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
from collections.abc import Callable, Iterator

import pytest

from tests import stack
from tests.databases import new_database
from tests.faults.ledger_content import Content
from tests.faults.trial import (
    SMALL_BATCHES,
    Options,
    Processor,
    Site,
    Trial,
    driven,
    prepare,
    sweep,
    trial,
)
from tests.stack import fixture

#: The long profile: more repetitions, all databases, all faults at all places.
FULL = os.environ.get("RATEKIT_TEST_FULL") == "1"
#: Hours that a trial catches up with: in a few batches, or in many.
SHORT = 14
LONG = 40

NewTrial = Callable[..., Trial]
Truth = Callable[[int], Content]
PreparedPlan = Callable[[str], str]


def pytest_configure(config: pytest.Config) -> None:
    """Provide the fixture ``cloud``."""
    fixture.register(config)


@pytest.fixture(scope="session")
def prepared(
    cloud: stack.Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PreparedPlan]:
    """Makes one database of each kind, with rules in force; each call empties it of the rest."""
    with contextlib.ExitStack() as opened:

        @functools.cache
        def make(backend: str) -> str:
            folder = tmp_path_factory.mktemp(backend)
            url = driven(opened.enter_context(new_database(backend, folder)))
            prepare(Site(cloud, folder, SHORT), url)
            return url

        def emptied(backend: str) -> str:
            url = make(backend)
            sweep(url)
            return url

        yield emptied


@pytest.fixture(scope="session")
def truth(
    cloud: stack.Stack, prepared: PreparedPlan, tmp_path_factory: pytest.TempPathFactory
) -> Truth:
    """Says what is in a database that was rated without any fault, in one go, by hours."""

    @functools.cache
    def rated(hours: int) -> Content:
        site = Site(cloud, tmp_path_factory.mktemp("truth"), hours)
        with new_database("sqlite", site.folder) as url:
            prepare(site, url)
            processor = Processor(site.configured("truth", url, {}), site.folder / "log", "--once")
            assert processor.ended() == 0, processor.said()
            content = site.content(url)
        # Tests compare with this, so there had better be something, and all of it.
        assert len(content.frames) > 15 * hours
        assert {state.rated_until for state in content.states.values()} == {
            site.horizon.replace(tzinfo=None)
        }
        return content

    return rated


@pytest.fixture
def new_trial(
    cloud: stack.Stack, prepared: PreparedPlan, tmp_path: pathlib.Path
) -> Iterator[NewTrial]:
    """Makes a trial, with small batches and short timeouts; one at a time a database."""
    with contextlib.ExitStack() as opened:

        def make(
            hours: int = SHORT,
            options: Options = SMALL_BATCHES,
            backend: str = "postgresql",
            url: str | None = None,
        ) -> Trial:
            site = Site(cloud, tmp_path, hours)
            if url is None:
                url = prepared(backend)
            else:
                prepare(site, url)
            return opened.enter_context(trial(site, url, options))

        yield make
