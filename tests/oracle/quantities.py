"""All frames of many resources."""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping
from decimal import Decimal

from tests.oracle import counters, gauges, pools
from tests.oracle.definition import Definition
from tests.oracle.model import Frame, FrameKey, Measures, Resource
from tests.oracle.rating_time import RatingTime

Frames = dict[FrameKey, Frame]
ONE = Decimal(1)


def frames_of(
    resource: Resource,
    definition: Definition,
    measures: Measures,
    begins: Iterable[int],
    time: RatingTime,
) -> Frames:
    """Return the frames of one resource and metric, in the periods that start at ``begins``.

    :param measures: of the definition's method and granularity
    """
    parts_of = counters.parts if definition.counter else gauges.parts
    result: Frames = {}
    for begin in begins:
        parts = parts_of(resource, definition, measures, begin, time)
        for (scope, labels), frame in pools.frames(
            resource, definition, parts, begin, time
        ).items():
            visible = tuple(label for label in labels if label[0] in definition.labels)
            add(result, FrameKey(scope, begin, definition.name, visible), frame)
    return result


def add(frames: Frames, key: FrameKey, frame: Frame) -> None:
    """Add a frame to those that there are; frames of equal labels add up."""
    sum_before = frames.get(key)
    if sum_before is None:
        frames[key] = frame
        return
    with decimal.localcontext(prec=1000):
        quantity, whole, share = (
            number + addend
            for number, addend in zip(unshared(sum_before), unshared(frame), strict=True)
        )
    if frame.share is None and sum_before.share is None:
        frames[key] = Frame(quantity)
    else:
        frames[key] = Frame(quantity, whole, min(share, ONE))


def add_all(frames: Frames, addends: Mapping[FrameKey, Frame]) -> None:
    """Add several frames to those that there are."""
    for key, frame in addends.items():
        add(frames, key, frame)


def unshared(frame: Frame) -> tuple[Decimal, Decimal, Decimal]:
    """Return quantity, whole and share; nothing shared is a share of 1."""
    if frame.whole is None or frame.share is None:
        return frame.quantity, frame.quantity, ONE
    return frame.quantity, frame.whole, frame.share
