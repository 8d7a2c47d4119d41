"""The real cloud, the content without faults, and trials to compare with it."""

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
    delete_rated_data,
    prepare,
    trial,
    with_driver,
)
from tests.stack import fixture

#: The long profile: more repetitions, all databases, all faults at all places.
FULL = os.environ.get("RATEKIT_TEST_FULL") == "1"
#: Hours that a trial rates: in very few batches, in a few, or in many.
BRIEF = 3
SHORT = 14
LONG = 40

NewTrial = Callable[..., Trial]
ExpectedContent = Callable[[int], Content]
PrepareDatabase = Callable[[str], str]


def pytest_configure(config: pytest.Config) -> None:
    """Provide the fixture ``cloud``."""
    fixture.register(config)


@pytest.fixture(scope="session")
def prepared_database(
    cloud: stack.Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrepareDatabase]:
    """Return a function that empties the one database of a kind, except for its rules."""
    with contextlib.ExitStack() as running_listener:

        @functools.cache
        def make(backend: str) -> str:
            folder = tmp_path_factory.mktemp(backend)
            url = with_driver(running_listener.enter_context(new_database(backend, folder)))
            prepare(Site(cloud, folder, SHORT), url)
            return url

        def empty(backend: str) -> str:
            url = make(backend)
            delete_rated_data(url)
            return url

        yield empty


@pytest.fixture(scope="session")
def expected_content(
    cloud: stack.Stack, prepared_database: PrepareDatabase, tmp_path_factory: pytest.TempPathFactory
) -> ExpectedContent:
    """Return a function of hours: the content that a run without faults leaves."""

    @functools.cache
    def rate(hours: int) -> Content:
        site = Site(cloud, tmp_path_factory.mktemp("expected"), hours)
        with new_database("sqlite", site.folder) as url:
            prepare(site, url)
            processor = Processor(
                site.write_conf("expected", url, {}), site.folder / "log", "--once"
            )
            assert processor.wait() == 0, processor.log_text()
            content = site.content(url)
        # Tests compare with this, so it must be complete.
        assert len(content.frames) > 15 * hours
        assert {state.rated_until for state in content.states.values()} == {
            site.horizon.replace(tzinfo=None)
        }
        return content

    return rate


@pytest.fixture
def new_trial(
    cloud: stack.Stack, prepared_database: PrepareDatabase, tmp_path: pathlib.Path
) -> Iterator[NewTrial]:
    """Return a function that makes a trial; one at a time for each database."""
    with contextlib.ExitStack() as running_listener:

        def make(
            hours: int = SHORT,
            options: Options = SMALL_BATCHES,
            backend: str = "postgresql",
            url: str | None = None,
        ) -> Trial:
            site = Site(cloud, tmp_path, hours)
            if url is None:
                url = prepared_database(backend)
            else:
                prepare(site, url)
            return running_listener.enter_context(trial(site, url, options))

        yield make
