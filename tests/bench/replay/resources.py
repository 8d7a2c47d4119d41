"""The resources of the replay: who they are, and when they changed."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

#: Since when all resources exist, unless they are prorated.
BORN = "2025-06-01T00:00:00+00:00"
#: From here on resources change, every so many hours.
EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
#: How far after the hour a resource changes.
_CUT = datetime.timedelta(minutes=20)
#: How long before that a prorated resource ceases to exist.
_PAUSE = datetime.timedelta(minutes=5)

FLAVORS = ("m1.tiny", "m1.small", "m1.large", "c5.xlarge")
#: Every so many resources there is a prorated one.
_PRORATED_EVERY = 100
#: An odd number with random digits: its multiples are spread over all ids.
_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835
_ALL_BITS = (1 << 128) - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What the replay's cloud is like.

    :ivar resources: in each scope
    :ivar generation: another number means other resources, with other ids
    :ivar changing_every: every so many resources there is one that changes; 0: none
    :ivar hours: a resource that changes does so once in so many hours
    :ivar tracks_hours: count what is asked for more than once; 0: do not, which is quicker
    """

    resources: int = 10
    generation: int = 0
    changing_every: int = 20
    hours: int = 24
    tracks_hours: int = 0


class Piece(NamedTuple):
    """A revision, as far as a query shows it.

    :ivar begin: of what the revision covers of the query
    :ivar end: likewise
    :ivar revision_start: JSON
    :ivar revision_end: JSON
    :ivar started_at: JSON
    :ivar ended_at: JSON
    """

    begin: datetime.datetime
    end: datetime.datetime
    revision_start: str
    revision_end: str
    started_at: str
    ended_at: str


def resource_type(number: int) -> str:
    """Return the type of a resource: half are instances, half volumes, one in 100 a snapshot."""
    if number % _PRORATED_EVERY == _PRORATED_EVERY - 1:
        return "snapshot"
    return "volume" if number % 2 else "instance"


def is_changing(number: int, settings: Settings) -> bool:
    """Tell whether a resource has several revisions."""
    if resource_type(number) == "snapshot":
        return True
    every = settings.changing_every
    return every > 0 and number // 2 % every == every - 1


def resource_id(number: int, settings: Settings) -> str:
    """Return an id like a random UUID, always the same."""
    text = f"{(number + 1 + (settings.generation << 40)) * _SPREAD & _ALL_BITS:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def numbers_of(scope: str, type_: str, settings: Settings) -> Iterator[int]:
    """Yield the numbers of a scope's resources of one type.

    :param scope: its id is its number, in hexadecimal
    """
    first = int(scope, 16) * settings.resources
    for number in range(first, first + settings.resources):
        if resource_type(number) == type_:
            yield number


def whole_piece(start: datetime.datetime, stop: datetime.datetime) -> Piece:
    """Return the only revision of a resource that never changed."""
    return Piece(start, stop, f'"{BORN}"', "null", f'"{BORN}"', "null")


def pieces(
    start: datetime.datetime, stop: datetime.datetime, hours: int, is_prorated: bool
) -> list[Piece]:
    """Return the revisions of a resource that changes, over a query.

    :param is_prorated: it is removed and comes back, so that periods are prorated
    """
    every = datetime.timedelta(hours=hours)
    cut = EPOCH + (start - EPOCH) // every * every + _CUT
    if cut > start:
        cut -= every
    results = []
    while cut < stop:
        end = cut + every
        is_last = end >= stop
        results.append(
            Piece(
                max(cut, start),
                min(end, stop),
                f'"{cut.isoformat()}"',
                "null" if is_last else f'"{end.isoformat()}"',
                f'"{cut.isoformat()}"' if is_prorated else f'"{BORN}"',
                f'"{(end - _PAUSE).isoformat()}"' if is_prorated and not is_last else "null",
            )
        )
        cut = end
    return results


def id_filter(conditions: Sequence[Mapping[str, Any]]) -> Callable[[str], bool]:
    """Return which ids a search wants; conditions on other attributes are ignored."""
    tests: list[Callable[[str], bool]] = []
    for condition in conditions:
        [(operator, operand)] = condition.items()
        if operator == "not":
            tests.append(_inverse(id_filter([operand])))
        elif operator == "and":
            tests.append(id_filter(operand))
        elif isinstance(operand, dict) and "id" in operand:
            tests.append(_comparison(operator, operand["id"]))
    return lambda id_: all(test(id_) for test in tests)


def _inverse(test: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda id_: not test(id_)


def _comparison(operator: str, operand: Any) -> Callable[[str], bool]:
    if operator == "in":
        return frozenset(operand).__contains__
    comparisons: dict[str, Callable[[str], bool]] = {
        "=": lambda id_: bool(id_ == operand),
        ">=": lambda id_: bool(id_ >= operand),
        ">": lambda id_: bool(id_ > operand),
        "<": lambda id_: bool(id_ < operand),
        "<=": lambda id_: bool(id_ <= operand),
    }
    return comparisons[operator]
