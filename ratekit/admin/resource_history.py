"""What one resource used and cost: hour by hour, day by day, and under which labels."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT
from ratekit.domain.reporting.reports import FrameRow

Labels = Mapping[str, str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class LabelSpan:
    """Consecutive periods of one metric in which a resource had the same labels.

    Two spans share a period in which the labels changed: each has its part of it.

    :ivar key: of its frames, by :func:`frame_key`
    :ivar begin: start of the first period, UTC
    :ivar end: end of the last, UTC
    :ivar price: exact sum
    """

    metric: str
    key: str
    labels: Labels
    begin: datetime.datetime
    end: datetime.datetime
    price: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class ResourceHistory:
    """The labels of a resource over time.

    :ivar spans: by metric and begin
    :ivar changing: names of the labels that differ between spans of one metric, sorted
    """

    spans: Sequence[LabelSpan]
    changing: Sequence[str]


def labels_of(row: FrameRow) -> Labels:
    """Return all labels of a frame."""
    return {**row.metadata, **row.groupby}


def frame_key(row: FrameRow) -> str:
    """Return a short text that tells a frame from all others of its scope, metric and period.

    It is of its labels and unit, so it is the same in each period.
    """
    content = [row.unit, sorted(row.groupby.items()), sorted(row.metadata.items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]


def build(rows: Iterable[FrameRow], step: datetime.timedelta) -> ResourceHistory:
    """Return the history that the frames of one resource tell.

    :param rows: by begin
    :param step: length of a period
    """
    spans: list[LabelSpan] = []
    open_spans: dict[tuple[str, str], int] = {}
    for row in rows:
        key = row.metric, frame_key(row)
        index = open_spans.get(key)
        if index is None or spans[index].end < row.begin:
            open_spans[key] = len(spans)
            spans.append(LabelSpan(*key, labels_of(row), row.begin, row.begin + step, row.price))
            continue
        span = spans[index]
        price = EXACT.add(span.price, row.price)
        spans[index] = dataclasses.replace(span, end=row.begin + step, price=price)
    spans.sort(key=lambda span: (span.metric, span.begin))
    return ResourceHistory(spans, sorted(_changing(spans)))


def _changing(spans: Sequence[LabelSpan]) -> set[str]:
    names = {name for span in spans for name in span.labels}
    values: dict[tuple[str, str], set[str | None]] = {}
    for span in spans:
        for name in names:
            values.setdefault((span.metric, name), set()).add(span.labels.get(name))
    return {name for (_, name), texts in values.items() if len(texts) > 1}
