"""What is left out is remembered for each metric, also where metrics share a public name."""

import datetime
import logging
from fractions import Fraction

from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.completeness.unstorable import UnstorableUsage
from ratekit.collectors.gnocchi.usage_series import Unstorable
from ratekit.domain.period import Window
from ratekit.domain.usage.metric import Metric, Mutate

SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
WINDOW = Window(SIX, datetime.timedelta(hours=1), 1)


def metric(method: str) -> Metric:
    return Metric(
        name="cpu",
        public_name="instance",
        unit="h",
        factor=Fraction(1),
        offset=Fraction(0),
        groupby=(),
        metadata=(),
        mutate=Mutate.NONE,
        extra_args=GnocchiArgs("instance", aggregation_method=method),
    )


def test_a_metric_with_the_same_public_name_does_not_hide_what_was_left_out() -> None:
    usage = UnstorableUsage(logging.getLogger("test"))
    usage.replace(metric("mean"), WINDOW, [Unstorable("r1", "p1", "too large")])
    usage.replace(metric("max"), WINDOW, [])
    [exclusion] = usage.exclusions(metric("mean"), WINDOW, ["p1"])
    assert (exclusion.metric, exclusion.resource) == ("instance", "r1")
    assert list(usage.exclusions(metric("max"), WINDOW, ["p1"])) == []


def test_what_was_left_out_of_another_window_does_not_count() -> None:
    usage = UnstorableUsage(logging.getLogger("test"))
    usage.replace(metric("mean"), WINDOW, [Unstorable("r1", "p1", "too large")])
    later = Window(WINDOW.end, WINDOW.step, 1)
    assert list(usage.exclusions(metric("mean"), later, ["p1"])) == []
