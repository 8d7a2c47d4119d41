"""Random lives of resources: what Gnocchi records and measures of them.

Each life is made from a seed of its own, so that a single one can be made again.
"""

from __future__ import annotations

import dataclasses
import random
import uuid
from collections.abc import Mapping, Sequence

from tests.oracle.model import HOUR, MINUTE, SECOND, Resource, Revision, floor

#: 12 measures an hour have an integer mean when they are multiples of this.
UNIT = 27720
FLAVORS: Sequence[str | None] = ("small", "large", "huge", None)
#: Longest time that lives reach back before the rated hours, and beyond them.
BEFORE, AFTER = 30 * HOUR, 5 * HOUR


@dataclasses.dataclass(frozen=True, slots=True)
class Life:
    """A resource and what is measured of it.

    :ivar measures: metric -> (instant, value), oldest first
    """

    resource: Resource
    measures: Mapping[str, Sequence[tuple[int, float]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Era:
    """The hours that are rated, and where.

    :ivar begin: start of the first hour
    :ivar end: end of the last hour
    :ivar scopes: where resources live and move; not all need be rated
    """

    begin: int
    end: int
    scopes: Sequence[str]


@dataclasses.dataclass(slots=True)
class _State:
    """The attributes of a record."""

    scope: str
    flavor: str | None
    size: str
    name: str
    started_at: int
    ended_at: int | None = None

    def revision(self, id_: str, start: int, end: int | None) -> Revision:
        attributes = {
            "id": id_,
            "project_id": self.scope,
            "user_id": f"user-of-{self.scope}",
            "flavor": self.flavor,
            "size": self.size,
            "name": self.name,
        }
        return Revision(start, end, self.scope, attributes, self.started_at, self.ended_at)


def random_life(seed: str, era: Era, salt: str = "") -> Life:
    """Return the life that belongs to a seed.

    :param salt: makes other ids of the same lives
    """
    rng = random.Random(seed)
    id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{seed} {salt}"))
    birth = _birth(rng, era)
    record = birth + _delay(rng)
    death = _death(rng, birth, era)
    states = _states(rng, era, birth, record, death)
    starts = sorted(states)
    revisions = tuple(
        states[start].revision(id_, start, end)
        for start, end in zip(starts, [*starts[1:], None], strict=True)
    )
    stop = _last_measure(rng, era, death, revisions)
    measures = {
        metric: samples
        for metric, values in _VALUES.items()
        if rng.random() < 0.9
        and (samples := [(at, value) for at, value in values(rng, _instants(rng, birth, stop))])
    }
    return Life(Resource(id_, revisions), measures)


def _birth(rng: random.Random, era: Era) -> int:
    kind = rng.random()
    if kind < 0.4:
        return era.begin - rng.randrange(3 * HOUR) - 20 * MINUTE
    if kind < 0.5:
        # Long before, so that a counter may be silent for hours.
        return era.begin - rng.randrange(5 * HOUR, BEFORE - 6 * HOUR)
    return _instant(rng, era.begin - 30 * MINUTE, era.end - HOUR)


def _delay(rng: random.Random) -> int:
    """Return how much later than the first measure a resource is recorded."""
    kind = rng.random()
    if kind < 0.45:
        return 0
    if kind < 0.7:
        return rng.randrange(10 * MINUTE)
    if kind < 0.87:
        return rng.randrange(10 * MINUTE, 100 * MINUTE)
    return rng.randrange(100 * MINUTE, 5 * HOUR)


def _death(rng: random.Random, birth: int, era: Era) -> int | None:
    if rng.random() < 0.5:
        return None
    return _instant(rng, max(birth, era.begin) + 10 * MINUTE, era.end + HOUR)


def _instant(rng: random.Random, first: int, last: int) -> int:
    """Return an instant, on the hour or the edge of a bucket more often than by chance."""
    instant = rng.randrange(first, last)
    kind = rng.random()
    if kind < 0.08:
        instant = floor(instant, HOUR)
    elif kind < 0.2:
        instant = floor(instant, 5 * MINUTE)
    elif kind < 0.5:
        instant = floor(instant, SECOND)
    return max(instant, first)


def _states(
    rng: random.Random, era: Era, birth: int, record: int, death: int | None
) -> dict[int, _State]:
    """Return the state that each record has, by its instant."""
    home = rng.choice(era.scopes)
    started_at = _started_at(rng, birth, record)
    state = _State(home, rng.choice(FLAVORS), "1", "first", started_at)
    changes: dict[int, list[str]] = {}
    for instant in _change_instants(rng, era, record):
        kinds = ("move", "move", "resize", "resize", "rename", "grow")
        changes.setdefault(instant, []).append(rng.choice(kinds))
    ends = _ends(rng, era, record, death, started_at)
    states = {record: state}
    for instant in sorted({*changes, *ends}):
        state = dataclasses.replace(state)
        for kind in changes.get(instant, []):
            _change(rng, kind, state, home, era.scopes)
        if instant in ends:
            state.ended_at = ends[instant]
        states[instant] = state
    return states


def _started_at(rng: random.Random, birth: int, record: int) -> int:
    kind = rng.random()
    if kind < 0.4:
        # Gnocchi's default.
        return record
    if kind < 0.7:
        return birth - rng.randrange(10 * MINUTE)
    if kind < 0.85:
        return birth - rng.randrange(50 * HOUR)
    return birth + rng.randrange(record - birth + 1)


def _change_instants(rng: random.Random, era: Era, record: int) -> list[int]:
    first, last = max(record, era.begin - HOUR) + SECOND, era.end + 2 * HOUR
    instants: list[int] = []
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3, 5))):
        if instants and rng.random() < 0.5:
            near = instants[-1] + rng.randrange(30 * MINUTE)
            instants.append(_instant(rng, near, near + 5 * MINUTE) + 1)
        elif first < last:
            instants.append(_instant(rng, first, last))
    return [instant for instant in instants if instant > record]


def _change(rng: random.Random, kind: str, state: _State, home: str, scopes: Sequence[str]) -> None:
    if kind == "move":
        elsewhere = [scope for scope in scopes if scope != state.scope]
        state.scope = home if home in elsewhere and rng.random() < 0.4 else rng.choice(elsewhere)
    elif kind == "resize":
        state.flavor = rng.choice([flavor for flavor in FLAVORS if flavor != state.flavor])
    elif kind == "grow":
        state.size = str(int(state.size) + 1)
    else:
        state.name += "'"


def _ends(
    rng: random.Random, era: Era, record: int, death: int | None, started_at: int
) -> dict[int, int | None]:
    """Return ends as they were recorded, corrected and undone: instant of the record -> end."""
    if death is None:
        return {}
    ends: dict[int, int | None] = {}
    death = max(death, started_at)
    instant = max(death, record) + 1 + rng.choice((0, rng.randrange(HOUR), rng.randrange(4 * HOUR)))
    ends[instant] = death
    while rng.random() < 0.4:
        instant += 1 + rng.randrange(2 * HOUR)
        undone = rng.random() < 0.5
        correction = _instant(rng, death - 70 * MINUTE, death + 70 * MINUTE)
        ends[instant] = None if undone else max(correction, started_at)
    return ends


def _last_measure(
    rng: random.Random, era: Era, death: int | None, revisions: Sequence[Revision]
) -> int:
    if death is None or revisions[-1].ended_at is None:
        return era.end + 3 * HOUR
    return death + rng.choice((0, -rng.randrange(20 * MINUTE), rng.randrange(3 * HOUR)))


def _instants(rng: random.Random, first: int, last: int) -> list[int]:
    """Return when something is measured: regularly or not, with or without gaps."""
    step, offset = rng.choice(((300, 0), (300, 1), (600, 0), (600, 1), (0, 1)))
    instant = first if offset else floor(first, 5 * MINUTE) + 5 * MINUTE
    instants = []
    while instant < last:
        instants.append(instant)
        instant += step * SECOND or rng.randrange(301 * SECOND, 25 * MINUTE)
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        if len(instants) > 2:
            start = rng.choice(instants)
            gap = rng.choice((20 * MINUTE, 70 * MINUTE, 3 * HOUR, 5 * HOUR, 26 * HOUR))
            stop = start + rng.randrange(gap // 2, gap)
            instants = [at for at in instants if not start <= at < stop]
    return instants


def _gauge(rng: random.Random, instants: list[int]) -> list[tuple[int, float]]:
    value = rng.randrange(60)
    samples = []
    for at in instants:
        if rng.random() < 0.15:
            value = rng.choice((0, 1, 2, rng.randrange(60)))
        samples.append((at, float(UNIT * value)))
    return samples


def _balance(rng: random.Random, instants: list[int]) -> list[tuple[int, float]]:
    return [(at, float(UNIT * rng.randrange(-20, 60))) for at in instants]


def _counter(rng: random.Random, instants: list[int]) -> list[tuple[int, float]]:
    value = rng.choice((0, 1, 10**8))
    samples = []
    for at in instants:
        samples.append((at, float(UNIT * value)))
        value += rng.randrange(50)
        if rng.random() < 0.04:
            value = rng.randrange(20)
    return samples


def _rough(rng: random.Random, instants: list[int]) -> list[tuple[int, float]]:
    value = 0.0
    samples = []
    for at in instants:
        value += rng.random() * 1000
        samples.append((at, value))
    return samples


_VALUES = {"gauge": _gauge, "balance": _balance, "counter": _counter, "rough": _rough}
