"""ratekit's frames of random lives on a real Gnocchi are those of the independent oracle.

RATEKIT_TEST_FULL=1 rates many more lives; RATEKIT_TEST_SEED=NAME rates one other set of lives.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
import yaml

from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.task import Order, TaskKind, TaskNote
from ratekit.domain.scope import Scope
from tests import stack
from tests.functional.conftest import FULL, Deployment, sqlite_url
from tests.oracle import differences
from tests.oracle.chosen_lives import chosen_lives
from tests.oracle.definition import Definition
from tests.oracle.lives import AFTER, Era, random_life
from tests.oracle.model import HOUR, Frame, FrameKey, Resource, as_datetime, floor, microseconds
from tests.oracle.planting import Gnocchi, plant
from tests.oracle.quantities import Frames, add_all, frames_of
from tests.oracle.rating_time import RatingTime
from tests.oracle.reading import Reading, read, series_of

SEEDS = ["full-0", "full-1", "full-2", "full-3"] if FULL else ["short"]
if "RATEKIT_TEST_SEED" in os.environ:
    SEEDS = [os.environ["RATEKIT_TEST_SEED"]]
HOURS = 10 if FULL else 6
LIVES = 60 if FULL else 12
SECOND = datetime.timedelta(seconds=1)
METRICS = pathlib.Path(__file__).parents[1] / "oracle" / "metrics.yml"
ROUGH = ("rough-mean", "rough-sum", "rough-grown")


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """Lives in Gnocchi, and everything that rates them.

    :ivar scopes: those that are rated
    :ivar catch_ups: frames that were rated in one cycle, by ``wait_periods``
    """

    cloud: stack.Stack
    folder: pathlib.Path
    seed: str
    era: Era
    scopes: Sequence[str]
    metrics: Mapping[str, Any]
    definitions: Sequence[Definition]
    readings: Mapping[str, Reading]
    catch_ups: dict[int, Frames] = dataclasses.field(default_factory=dict)

    @property
    def begins(self) -> range:
        """The start of each rated hour."""
        return range(self.era.begin, self.era.end, HOUR)

    def part(self, number: int) -> Sequence[Definition]:
        """Return a quarter of the definitions, for tests that need many requests."""
        return self.definitions if FULL else self.definitions[number::4]

    def expected(self, definitions: Iterable[Definition], time: RatingTime) -> Frames:
        """Return the oracle's frames."""
        result: Frames = {}
        for definition in definitions:
            for resource, measures in self.readings.values():
                series = measures.get(series_of(definition), {})
                add_all(result, frames_of(resource, definition, series, self.begins, time))
        return {key: frame for key, frame in result.items() if key.scope in self.scopes}

    def deployment(
        self, wait: int, definitions: Iterable[Definition], scopes: Iterable[str] = ()
    ) -> Deployment:
        """Return a deployment on a new SQLite database, with nothing rated.

        :param scopes: default: all that are rated
        """
        path = self.folder / f"{uuid.uuid4().hex}.yml"
        path.write_text(yaml.safe_dump({"metrics": self._entries(definitions)}), encoding="utf-8")
        deployment = Deployment(self.cloud, sqlite_url(self.cloud, self.folder))
        deployment.configure(
            "collect",
            metrics_conf=str(path),
            wait_periods=wait,
            start=as_datetime(self.era.begin).isoformat(),
        )
        deployment.configure("fetcher", backend="static")
        deployment.configure("fetcher_static", scopes=sorted(scopes or self.scopes))
        deployment.apply()
        return deployment

    def _entries(self, definitions: Iterable[Definition]) -> Mapping[str, Sequence[Any]]:
        """Return the entries of metrics.yml that belong to some definitions."""
        names = {definition.name for definition in definitions}
        entries = {
            metric: [entry for entry in values if entry["alt_name"] in names]
            for metric, values in self.metrics.items()
        }
        return {metric: values for metric, values in entries.items() if values}

    def due(self, wait: int, begin: int) -> datetime.datetime:
        """Return the first second at which a period is due."""
        return as_datetime(RatingTime(wait).due(begin)) + SECOND

    def rate_all(self, deployment: Deployment, wait: int) -> Frames:
        """Rate all hours in one cycle; return all frames."""
        assert deployment.rate(self.due(wait, self.begins[-1])).failed_scopes == 0
        return as_frames(deployment.frames())

    def catch_up(self, wait: int, definitions: Iterable[Definition]) -> Frames:
        """Return the frames of one cycle that rates all hours, scopes and metrics."""
        if wait not in self.catch_ups:
            self.catch_ups[wait] = self.rate_all(self.deployment(wait, self.definitions), wait)
        names = {definition.name for definition in definitions}
        return {key: frame for key, frame in self.catch_ups[wait].items() if key.metric in names}

    def check(self, actual: Frames, expected: Frames) -> None:
        """Fail, with all that is needed to repeat it, if frames differ from the oracle's."""
        keys = differences.different_keys(actual, expected, ROUGH)
        definitions = {definition.name: definition for definition in self.definitions}
        text = differences.describe(keys, actual, expected, self.readings, definitions)
        assert not keys, f"RATEKIT_TEST_SEED={self.seed}: {text}"
        assert len(actual) > 500


def as_frames(rows: Iterable[FrameRow]) -> Frames:
    """Return stored frames as the oracle's; fail on a frame that is there twice."""
    frames: Frames = {}
    for row in rows:
        labels = tuple(sorted({**row.groupby, **row.metadata}.items()))
        key = FrameKey(row.scope, microseconds(row.begin), row.metric, labels)
        assert key not in frames, f"charged twice: {key}"
        whole, share = (row.shared.whole, row.shared.share) if row.shared else (None, None)
        frames[key] = Frame(row.quantity, whole, share)
    return frames


def _records(resource: Resource) -> list[tuple[Any, ...]]:
    """Return what Gnocchi should have kept of a life."""
    return [
        (
            revision.start,
            revision.end,
            revision.scope,
            revision.started_at,
            revision.ended_at,
            revision.attributes["flavor"],
        )
        for revision in resource.revisions
    ]


@pytest.fixture(scope="module", params=SEEDS)
def world(
    request: pytest.FixtureRequest, cloud: stack.Stack, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """Plant the lives of a seed, and read them as the oracle does."""
    seed, salt = request.param, uuid.uuid4().hex
    end = floor(microseconds(datetime.datetime.now(datetime.UTC)), HOUR) - AFTER - HOUR
    scopes = [f"{name}-{salt}" for name in ("one", "two", "three", "unrated")]
    era = Era(end - HOURS * HOUR, end, scopes)
    lives = [
        *chosen_lives(era, salt),
        *(random_life(f"{seed} {number}", era, salt) for number in range(LIVES)),
    ]
    plant(cloud, lives)
    metrics = yaml.safe_load(METRICS.read_text(encoding="utf-8"))["metrics"]
    definitions = [
        Definition.read(metric, entry) for metric, entries in metrics.items() for entry in entries
    ]
    gnocchi = Gnocchi(cloud.admin_session(), cloud.gnocchi_url)
    readings = read(gnocchi, [life.resource.id for life in lives], definitions)
    for life, (resource, _) in zip(lives, readings, strict=True):
        assert _records(resource) == _records(life.resource)
    return World(
        cloud,
        tmp_path_factory.mktemp("oracle"),
        seed,
        era,
        scopes[:3],
        metrics,
        definitions,
        {reading[0].id: reading for reading in readings},
    )


@pytest.mark.parametrize("wait", [1, 2, 3])
def test_a_catch_up_gives_the_frames_of_the_oracle(world: World, wait: int) -> None:
    if wait == 2 or FULL:
        definitions = world.definitions
        actual = world.catch_up(wait, definitions)
    else:
        definitions = world.definitions[wait // 2 :: 2]
        actual = world.rate_all(world.deployment(wait, definitions), wait)
    world.check(actual, world.expected(definitions, RatingTime(wait)))


@pytest.mark.parametrize("wait", [1, 2, 3] if FULL else [2])
def test_hour_by_hour_gives_the_frames_of_a_catch_up(world: World, wait: int) -> None:
    definitions = world.part(0)
    deployment = world.deployment(wait, definitions)
    for begin in world.begins:
        assert deployment.rate(world.due(wait, begin)).failed_scopes == 0
    actual = as_frames(deployment.frames())
    assert actual == world.catch_up(wait, definitions)
    world.check(actual, world.expected(definitions, RatingTime(wait)))


def test_other_splits_of_scopes_give_the_frames_of_a_catch_up(world: World) -> None:
    definitions = world.part(1)
    actual: Frames = {}
    for scope in world.scopes:
        actual |= world.rate_all(world.deployment(2, definitions, [scope]), 2)
    assert actual == world.catch_up(2, definitions)


def test_scopes_in_parts_give_the_frames_of_a_catch_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    part_counts: set[int] = set()
    conditions = AggregateQuery.conditions

    def count_parts(query: AggregateQuery) -> list[dict[str, Any]]:
        part_counts.add(query.part.count)
        return conditions(query)

    monkeypatch.setattr(AggregateQuery, "conditions", count_parts)
    definitions = world.part(3)
    deployment = world.deployment(2, definitions)
    # So few frames a batch that one period of each scope is divided by ranges of ids.
    deployment.configure("orchestrator", batch_frames=100)
    actual = world.rate_all(deployment, 2)
    assert actual == world.catch_up(2, definitions)
    assert max(part_counts) > 3


def test_a_reset_gives_the_same_frames(world: World) -> None:
    definitions = world.part(2)
    deployment = world.deployment(2, definitions)
    before = world.rate_all(deployment, 2)
    scopes = deployment.storage.scopes
    middle = as_datetime(world.begins[len(world.begins) // 2])
    for scope in world.scopes:
        scopes.reset(scopes.plan_reset(scope, middle))
    remaining = as_frames(deployment.frames())
    assert {key.begin < microseconds(middle) for key in remaining} == {True}
    assert world.rate_all(deployment, 2) == before == world.catch_up(2, definitions)


def test_reprocessing_gives_the_frames_of_the_oracle(world: World) -> None:
    definitions = world.part(3)
    deployment = world.deployment(2, definitions)
    world.rate_all(deployment, 2)
    # The processor's clock stands where it last rated.
    now = world.due(2, world.begins[-1])
    begin, end = as_datetime(world.era.begin), as_datetime(world.era.end)
    orders = [
        # Usage that a later record takes away is missing on purpose.
        Order(Scope(scope), begin, end, SECOND * 3600, TaskKind.COLLECT, accept_silence=True)
        for scope in world.scopes
    ]
    count = len(deployment.storage.tasks.add(orders, TaskNote("records", "operator", now)))
    assert deployment.finish_tasks().finished_tasks == count
    actual = as_frames(deployment.frames())
    world.check(actual, world.expected(definitions, RatingTime(2, microseconds(now))))
