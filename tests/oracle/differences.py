"""What a failed comparison shows: both frames, the resource's life, and how to repeat it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from tests.oracle.definition import Definition
from tests.oracle.model import Frame, FrameKey, as_datetime
from tests.oracle.quantities import Frames, unshared
from tests.oracle.reading import Reading, series_of

#: Of quantities that come from buckets with long digits, whose cover was undone in binary:
#: in relation to them, and absolute, as differences of counters are small against the values.
TOLERANCE, SMALLEST = Fraction(1, 10**13), Fraction(1, 10**9)


def different_keys(actual: Frames, expected: Frames, rough: Sequence[str] = ()) -> list[FrameKey]:
    """Return the keys of frames that differ, oldest first.

    :param rough: names of metrics that need only agree by TOLERANCE
    """
    return sorted(
        (
            key
            for key in actual.keys() | expected.keys()
            if not (
                actual.get(key) == expected.get(key)
                or (key.metric in rough and _close(actual.get(key), expected.get(key)))
            )
        ),
        key=lambda key: (key.begin, key.metric, key.scope, str(key.labels)),
    )


def _close(actual: Frame | None, expected: Frame | None) -> bool:
    if actual is None or expected is None:
        return False
    return all(
        abs(Fraction(number) - Fraction(right)) <= TOLERANCE * abs(Fraction(right)) + SMALLEST
        for number, right in zip(unshared(actual), unshared(expected), strict=True)
    )


def describe(
    keys: Sequence[FrameKey],
    actual: Frames,
    expected: Frames,
    readings: Mapping[str, Reading],
    definitions: Mapping[str, Definition],
) -> str:
    """Return the text about frames that differ."""
    lines = [f"{len(keys)} frames differ"]
    for metric in sorted({key.metric for key in keys}):
        lines.append(f"  {metric}: {sum(key.metric == metric for key in keys)}")
    for key in _examples(keys):
        lines += ["", *_about(key, actual, expected)]
        id_ = dict(key.labels).get("id")
        if id_ in readings:
            lines += _life(readings[str(id_)], definitions[key.metric], key.begin)
    return "\n".join(lines)


def _examples(keys: Sequence[FrameKey]) -> list[FrameKey]:
    """Return the first frame of each life, and at most ten."""
    examples: dict[str | None, FrameKey] = {}
    for key in keys:
        examples.setdefault(dict(key.labels).get("id"), key)
    return list(examples.values())[:10]


def _about(key: FrameKey, actual: Frames, expected: Frames) -> Iterator[str]:
    yield f"{key.metric} of {_time(key.begin)} in scope {key.scope}: {dict(key.labels)}"
    for name, frames in (("ratekit", actual), ("oracle", expected)):
        yield f"  {name:8}{_frame(frames.get(key))}"
        id_ = dict(key.labels).get("id")
        for neighbour, frame in frames.items():
            same = neighbour[1:3] == key[1:3] and neighbour != key
            if same and id_ is not None and dict(neighbour.labels).get("id") == id_:
                labels = dict(neighbour.labels)
                yield f"          beside {_frame(frame)}: {neighbour.scope} {labels}"


def _frame(frame: Frame | None) -> str:
    return "none" if frame is None else " ".join(map(_number, frame))


def _number(number: Decimal | None) -> str:
    return "-" if number is None else format(number, "f")


def _life(reading: Reading, definition: Definition, begin: int) -> Iterator[str]:
    resource, measures = reading
    yield f"  {definition}"
    for revision in resource.revisions:
        end = "now" if revision.end is None else _time(revision.end)
        ended_at = "" if revision.ended_at is None else f" ended {_time(revision.ended_at)}"
        labels = {name: revision.attributes.get(name) for name in ("flavor", "size", "name")}
        yield (
            f"  {_time(revision.start)} to {end}: {revision.scope} {labels} "
            f"started {_time(revision.started_at)}{ended_at}"
        )
    buckets = measures[series_of(definition)]
    first = max((at for at in buckets if at < begin - 3_600_000_000), default=begin)
    window = [at for at in sorted(buckets) if first <= at < begin + 4 * 3_600_000_000]
    yield "  buckets: " + ", ".join(f"{_time(at)[11:19]} {float(buckets[at]):g}" for at in window)
    if window:
        yield f"  the first of these buckets is of {_time(window[0])}"


def _time(instant: int) -> str:
    return as_datetime(instant).replace(tzinfo=None).isoformat()
