"""Sites with a database and a Gnocchi."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterator

import pytest

from tests.coordination.gnocchi import Gnocchi, run_gnocchi
from tests.coordination.services import SERVICES, Service, run_service
from tests.coordination.site import Site
from tests.databases import new_database

#: The long profile: all services, more work.
FULL = os.environ.get("RATEKIT_TEST_FULL") == "1"

NewSite = Callable[..., Site]


@pytest.fixture(params=sorted(SERVICES) if FULL else ["etcd", "redis"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """A coordination service that runs."""
    with run_service(request.param) as running:
        yield running


@pytest.fixture
def gnocchi() -> Iterator[Gnocchi]:
    """A Gnocchi that records who asks."""
    with run_gnocchi() as running:
        yield running


@pytest.fixture
def new_site(gnocchi: Gnocchi, tmp_path: pathlib.Path) -> Iterator[NewSite]:
    """Return a function that prepares a site with so many scopes and periods, and a database."""
    with contextlib.ExitStack() as stack:

        def make(scopes: int, periods: int, backend: str = "postgresql") -> Site:
            url = stack.enter_context(new_database(backend, tmp_path))
            site = Site(tmp_path, url, gnocchi, scopes, periods)
            stack.callback(site.end)
            return site

        yield make
