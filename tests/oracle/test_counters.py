"""The oracle's own arithmetic of counters: each number is worked out in a comment."""

from __future__ import annotations

from tests.oracle.hand import metric, numbers, record, resource

OLD = -5000
GROWN = metric(aggregation_method="max", re_aggregation_method="rate:sum")


def test_growth_is_counted_from_the_last_bucket_before_the_hour() -> None:
    # 100 -> 160 -> 190: 60 + 30.
    measures = {-5: 100.0, 0: 160.0, 30: 190.0}
    assert numbers(resource(record(OLD)), GROWN, measures) == {"a s": "90"}


def test_a_counter_that_restarts_counts_as_it_is() -> None:
    # 100 -> 160, 20, 50: 60 + 20 + 30.
    measures = {-5: 100.0, 0: 160.0, 5: 20.0, 10: 50.0}
    assert numbers(resource(record(OLD)), GROWN, measures) == {"a s": "110"}


def test_a_smallest_drop_is_noise() -> None:
    # One in 10**15.
    measures = {-5: 1e15, 0: 1e15 - 1}
    assert numbers(resource(record(OLD)), GROWN, measures) == {"a s": "0"}


def test_other_reducers_reduce_the_differences() -> None:
    # 60, 20, 30: mean 36.666..., greatest 60.
    measures = {-5: 100.0, 0: 160.0, 5: 180.0, 10: 210.0}
    life = resource(record(OLD))
    mean = metric(re_aggregation_method="rate:mean")
    assert numbers(life, mean, measures) == {"a s": "36.666666666666666667"}
    assert numbers(life, metric(re_aggregation_method="rate:max"), measures) == {"a s": "60"}


def test_a_first_value_is_no_usage() -> None:
    assert numbers(resource(record(0)), GROWN, {0: 3e12}) == {}
    # Only the growth after it.
    assert numbers(resource(record(0)), GROWN, {0: 3e12, 5: 3e12 + 7}) == {"a s": "7"}


def test_a_first_value_counts_if_counters_start_with_their_resources() -> None:
    # Started 3 minutes before; but not two hours before, with a gap of one hour.
    definition = metric(re_aggregation_method="rate:sum", first_value="count", counter_gap=3600)
    assert numbers(resource(record(7)), definition, {10: 40.0}) == {"a s": "40"}
    assert numbers(resource(record(7, started=-110)), definition, {10: 40.0}) == {}


def test_growth_over_a_gap_counts_where_it_is_seen() -> None:
    # 10 hours without a value: 400, in the hour of the new bucket.
    measures = {-600: 100.0, 10: 500.0}
    assert numbers(resource(record(OLD)), GROWN, measures) == {"a s": "400"}
    assert numbers(resource(record(OLD)), GROWN, measures, hour=-1) == {}


def test_growth_over_a_longer_gap_is_not_counted() -> None:
    # 24 hours are 1440 minutes, from the start of one bucket to that of the other.
    life = resource(record(OLD))
    assert numbers(life, GROWN, {-1435: 100.0, 5: 500.0}) == {"a s": "400"}
    assert numbers(life, GROWN, {-1440: 100.0, 5: 500.0}) == {}


def test_the_previous_hour_is_no_gap_however_short_gaps_may_be() -> None:
    # 80 minutes, with a gap of 10.
    definition = metric(re_aggregation_method="rate:sum", counter_gap=600)
    assert numbers(resource(record(OLD)), definition, {-50: 1.0, 30: 6.0}) == {"a s": "5"}


def test_a_query_that_compares_gets_the_raw_difference() -> None:
    # 100 -> 60: -40, at least 0. Its growth of 10 stands.
    text = "(max 0 (aggregate rate:sum (metric m max)))"
    definition = metric(re_aggregation_method="rate:sum", custom_query=text)
    measures = {-5: 100.0, 0: 60.0, 5: 70.0}
    assert numbers(resource(record(OLD)), definition, measures) == {"a s": "10"}


def test_a_documented_query_with_two_references() -> None:
    # (-40 + 40) / 2 = 0, (10 + 10) / 2 = 10.
    growth = "(aggregate rate:sum (metric m max))"
    definition = metric(
        re_aggregation_method="rate:sum", custom_query=f"(div (+ {growth} (abs {growth})) 2)"
    )
    measures = {-5: 100.0, 0: 60.0, 5: 70.0}
    assert numbers(resource(record(OLD)), definition, measures) == {"a s": "10"}


def test_a_query_that_only_calculates_leaves_restarts() -> None:
    # Restarted at 60: 2 * 60 + 2 * 10.
    text = "(* 2 (aggregate rate:sum (metric m max)))"
    definition = metric(re_aggregation_method="rate:sum", custom_query=text)
    measures = {-5: 100.0, 0: 60.0, 5: 70.0}
    assert numbers(resource(record(OLD)), definition, measures) == {"a s": "140"}


def test_each_difference_is_judged_for_being_negative() -> None:
    # neg: 40 and -10. The second becomes 0, or is kept.
    text = "(neg (aggregate rate:sum (metric m max)))"
    measures = {-5: 100.0, 0: 60.0, 5: 70.0}
    life = resource(record(OLD))
    definition = metric(re_aggregation_method="rate:sum", custom_query=text)
    assert numbers(life, definition, measures) == {"a s": "40"}
    definition = metric(re_aggregation_method="rate:sum", custom_query=text, negative="keep")
    assert numbers(life, definition, measures) == {"a s": "30"}


def test_growth_across_a_move_is_shared_by_time() -> None:
    # 120 grew from the end of the bucket :00 at :05 until the end of :25 at :30. Moved at :20:
    # 15 of 25 minutes are a's. 72 and 48.
    life = resource(record(OLD), record(20, scope="b"))
    assert numbers(life, GROWN, {-5: 0.0, 0: 0.0, 25: 120.0}) == {
        "a s": "72 of 120 of 0.6",
        "b s": "48 of 120 of 0.4",
    }


def test_growth_since_the_hour_before_is_shared_within_the_hour() -> None:
    # The bucket before ended at -:25; S is from :00 to :10. Moved at :04: 4 of 10 minutes.
    life = resource(record(OLD), record(4, scope="b"))
    assert numbers(life, GROWN, {-30: 0.0, 5: 100.0}) == {
        "a s": "40 of 100 of 0.4",
        "b s": "60 of 100 of 0.6",
    }


def test_growth_over_a_gap_belongs_to_the_new_bucket() -> None:
    # The last bucket is two hours old: S is the bucket :05 alone, which is b's.
    life = resource(record(OLD), record(4, scope="b"))
    assert numbers(life, GROWN, {-120: 0.0, 5: 100.0}) == {"b s": "100"}


def test_a_revision_without_any_bucket_has_no_growth() -> None:
    # b was there from :10 to :20, without a bucket. Of 5 to 30, a has 5 minutes, c 10.
    life = resource(record(OLD), record(10, scope="b"), record(20, scope="c"))
    assert numbers(life, GROWN, {-5: 0.0, 0: 0.0, 25: 150.0}) == {
        "a s": "50 of 150 of 0.333333333333333333",
        "c s": "100 of 150 of 0.666666666666666667",
    }


def test_growth_after_an_end_counts_for_the_hour_of_the_end() -> None:
    # Ended at :50, recorded at :51. The bucket 1:00 has the rest, 30, which is measured before
    # the hour is due at 2:00, with two periods of wait. With one it is not.
    life = resource(record(OLD), record(51, ended=50))
    measures = {-5: 0.0, 45: 100.0, 60: 130.0}
    assert numbers(life, GROWN, measures, wait=2) == {"a s": "130"}
    assert numbers(life, GROWN, measures, wait=2, hour=1) == {}
    assert numbers(life, GROWN, measures, wait=1) == {"a s": "100"}
    assert numbers(life, GROWN, measures, wait=1, hour=1) == {"a s": "30"}


def test_growth_after_an_end_that_was_recorded_late_counts_where_it_is_seen() -> None:
    # Recorded at 2:10, when the hour was due; so too if it is collected again.
    life = resource(record(OLD), record(130, ended=50))
    measures = {-5: 0.0, 45: 100.0, 60: 130.0}
    for now in (None, 600.0):
        assert numbers(life, GROWN, measures, wait=2, now=now) == {"a s": "100"}
        assert numbers(life, GROWN, measures, wait=2, now=now, hour=1) == {"a s": "30"}


def test_growth_after_an_end_that_was_undone_counts_where_it_is_seen() -> None:
    # Undone at 1:30, before the hour is due.
    life = resource(record(OLD), record(51, ended=50), record(90))
    measures = {-5: 0.0, 45: 100.0, 60: 130.0}
    assert numbers(life, GROWN, measures, wait=2) == {"a s": "100"}
    assert numbers(life, GROWN, measures, wait=2, hour=1) == {"a s": "30"}


def test_growth_is_counted_once_if_an_end_is_corrected_after_its_hour() -> None:
    # At 2:00 the end was :50, so the bucket 1:20 counts for that hour. At 3:00 the end is 1:10:
    # the same bucket does not count again. So too if one of the hours is collected again.
    life = resource(record(OLD), record(51, ended=50), record(125, ended=70))
    measures = {-5: 0.0, 45: 100.0, 80: 130.0}
    for now in (None, 600.0):
        assert numbers(life, GROWN, measures, wait=2, now=now) == {"a s": "130"}
        assert numbers(life, GROWN, measures, wait=2, now=now, hour=1) == {}
