"""Findings on the values of some of a metric's resources."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from ratekit.domain.reporting.findings import Finding, Severity
from ratekit.domain.usage.counter import Counter, Reading
from ratekit.text import count_text, utc_text


def value_findings(
    samples: Mapping[str, Sequence[Reading]], counter: Counter | None
) -> Iterator[Finding]:
    """Yield what is conspicuous; nothing where all is well.

    :param samples: aggregates by resource's id, each in order of time, at least one
    :param counter: how the metric's counters are read; None: it is not a counter
    """
    yield from _negative_values(samples)
    if counter is not None:
        yield from _gaps(samples, counter)


def _negative_values(samples: Mapping[str, Sequence[Reading]]) -> Iterator[Finding]:
    negatives = [
        (value, id_, begin)
        for id_, readings in samples.items()
        for begin, value in readings
        if value < 0
    ]
    if negatives:
        value, id_, begin = min(negatives)
        yield Finding(
            "values", Severity.WARNING,
            f"{count_text(len(negatives), 'aggregate')} below zero; the lowest is {value:.6g}, of "
            f"resource {id_} at {utc_text(begin)}",
            "values below zero count as 0; see extra_args negative",
        )  # fmt: skip


def _gaps(samples: Mapping[str, Sequence[Reading]], counter: Counter) -> Iterator[Finding]:
    gaps = [
        (end - begin, id_, end, value - previous)
        for id_, readings in samples.items()
        for (begin, previous), (end, value) in itertools.pairwise(readings)
        if end - begin > counter.gap
    ]
    if gaps:
        _, id_, end, growth = max(gaps)
        yield Finding(
            "counter gaps", Severity.WARNING,
            f"{count_text(len(gaps), 'gap')} longer than counter_gap; after the longest, of "
            f"resource {id_} until {utc_text(end)}, a growth of {growth:.6g} was not charged",
            "make the measuring reliable, or raise extra_args counter_gap",
        )  # fmt: skip
