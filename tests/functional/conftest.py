"""One real cloud for all functional tests, and a new database for each test."""

from __future__ import annotations

import datetime
import os
import pathlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from ratekit import composition, concurrency, plugins
from ratekit.admin import hashmap
from ratekit.cmd import configuration, startup
from ratekit.conf import collect
from ratekit.domain.reporting.reports import ALL_SCOPES, AllScopes, FrameRow, Selection
from ratekit.fetchers.static import StaticFetcher
from ratekit.files import rules_file
from ratekit.processing.cycle import CycleResult
from ratekit.processing.reprocessor import TaskSummary
from ratekit.processing.run_context import RunContext
from ratekit.storage import migrate
from ratekit.storage.sql import build_storage
from tests import stack
from tests.empty_database import create_empty
from tests.stack import fixture

#: The long profile: more lives and more hours.
FULL = os.environ.get("RATEKIT_TEST_FULL") == "1"
REPO = pathlib.Path(__file__).parents[2]
METRICS = REPO / "etc/ratekit/metrics.yml"
RULES = pathlib.Path(__file__).with_name("rules.yml")
#: Projects of the stack on which the service user has the role ``rating``, in any way.
RATED = {"cases", "demo-01", "demo-02", "demo-03", "demo-04", "disabled", "grouped", "inherited"}


def pytest_configure(config: pytest.Config) -> None:
    """Provide the fixture ``cloud``."""
    fixture.register(config)


class Deployment:
    """ratekit on the real cloud, with its own database and a clock that tests set.

    :param url: SQLAlchemy URL of a fresh, migrated database
    """

    def __init__(self, cloud: stack.Stack, url: str) -> None:
        self.cloud = cloud
        self.plan = cloud.plan()
        self.conf: Any = configuration.load_for_rating(
            "functional", ["--config-file", str(cloud.conf_path)]
        )
        # For tests that change the fetcher after the configuration was loaded.
        plugins.register_options(self.conf, StaticFetcher)
        self.configure("database", connection=url)
        # Many tests are about quantities only, and apply no rules.
        self.configure("rating", without_rules="free")
        self.storage = build_storage(self.conf)
        self._now = self.plan.end
        self._parts: composition.Parts | None = None

    def apply(self, rules: pathlib.Path = RULES) -> None:
        """Apply a rule file."""
        calendar = collect.build_calendar(self.conf)
        desired = rules_file.read(str(rules))
        plan = hashmap.plan(self.storage.rules, desired, calendar, startup.now())
        hashmap.make_change(self.storage.rules, plan, startup.now(), "operator")

    def rate(self, at: datetime.datetime | None = None) -> CycleResult:
        """Run one cycle at the time ``at``; by default long after the last measure.

        One processor runs all cycles of a deployment, as a daemon does.
        """
        self._now = at or self.plan.end + datetime.timedelta(hours=10)
        return self._processor().orchestrator.run_cycle()

    def finish_tasks(self) -> TaskSummary:
        """Carry out all queued tasks."""
        return self._processor().tasks.finish()

    def _processor(self) -> composition.Parts:
        if self._parts is None:
            context = RunContext(
                clock=lambda: self._now,
                report=lambda _: None,
                should_continue=lambda: True,
                chance=lambda: 0.5,
            )
            self._parts = composition.build_processor(
                self.conf,
                self.storage,
                context,
                concurrency.side_by_side,
                concurrency.within,
            )
        return self._parts

    def configure(self, group: str, **options: Any) -> None:
        """Set options before the first cycle."""
        for name, value in options.items():
            self.conf.set_override(name, value, group=group)

    def frames(
        self,
        scopes: AllScopes | frozenset[str] = ALL_SCOPES,
        metrics: tuple[str, ...] = (),
    ) -> list[FrameRow]:
        """Return the stored frames, in a fixed order."""
        selection = Selection(scopes=scopes, metrics=metrics)
        return list(self.storage.reports.frames(selection))

    def projects(self) -> set[str]:
        """Return the names of the projects that have frames."""
        names = {id_: name for name, id_ in self.cloud.project_ids.items()}
        return {names[frame.scope] for frame in self.frames()}


@pytest.fixture(params=["sqlite", "postgresql"])
def deployment(
    request: pytest.FixtureRequest, cloud: stack.Stack, tmp_path: pathlib.Path
) -> Deployment:
    """Return a deployment with the rules of rules.yml and nothing rated, on each database."""
    make = sqlite_url if request.param == "sqlite" else postgresql_url
    deployment = Deployment(cloud, make(cloud, tmp_path))
    deployment.apply()
    return deployment


@pytest.fixture
def new_deployment(cloud: stack.Stack, tmp_path: pathlib.Path) -> Callable[[], Deployment]:
    """Return a function that makes deployments on SQLite, with rules and nothing rated."""

    def make() -> Deployment:
        deployment = Deployment(cloud, sqlite_url(cloud, tmp_path))
        deployment.apply()
        return deployment

    return make


def sqlite_url(_cloud: stack.Stack, folder: pathlib.Path) -> str:
    """Return the URL of a new migrated SQLite file."""
    return create_empty(folder / f"{uuid.uuid4().hex}.sqlite")


def postgresql_url(cloud: stack.Stack, _folder: pathlib.Path) -> str:
    """Return the URL of a new migrated database on the stack's server."""
    name = f"ratekit_{uuid.uuid4().hex}"
    server = sa.make_url(cloud.database_url)
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    url = server.set(database=name).render_as_string(hide_password=False)
    migrate.upgrade(url)
    return url
