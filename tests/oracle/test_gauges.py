"""The oracle's own arithmetic of gauges: each number is worked out in a comment."""

from __future__ import annotations

from tests.oracle.hand import every, metric, numbers, record, resource

MEAN = metric(aggregation_method="mean")
OLD = -500
#: Quantity, whole and share of a third and of two thirds of 1.
THIRD = "0.333333333333333333 of 1 of 0.333333333333333333"
TWO_THIRDS = "0.666666666666666667 of 1 of 0.666666666666666667"


def test_an_unchanged_resource_has_the_mean_of_its_means() -> None:
    # Six buckets of 10, six of 20: 180 / 12.
    measures = every(5, 0, 30, 10) | every(5, 30, 60, 20)
    assert numbers(resource(record(OLD)), MEAN, measures) == {"a s": "15"}


def test_each_reducer() -> None:
    # Buckets 4, 2, 9, 5.
    measures = {0: 4.0, 5: 2.0, 10: 9.0, 15: 5.0}
    for method, number in {
        "mean": "5",
        "max": "9",
        "min": "2",
        "last": "5",
        "sum": "20",
        "count": "20",
    }.items():
        definition = metric(aggregation_method=method)
        assert numbers(resource(record(OLD)), definition, measures) == {"a s": number}


def test_a_resize_shares_the_hour_by_time() -> None:
    # 20 of 60 minutes, and 40; the remainder's unit goes to the larger rest, .666...
    life = resource(record(OLD), record(20, flavor="l"))
    assert numbers(life, MEAN, every(5, 0, 60, 1)) == {"a s": THIRD, "a l": TWO_THIRDS}


def test_a_move_costs_one_hour_in_two_scopes() -> None:
    life = resource(record(OLD), record(20, scope="b"))
    assert numbers(life, MEAN, every(5, 0, 60, 1)) == {"a s": THIRD, "b s": TWO_THIRDS}


def test_a_move_there_and_back_has_one_pool_for_home() -> None:
    # At home 0-10 and 30-60: 40 minutes; away 10-30: 20.
    life = resource(record(OLD), record(10, scope="b"), record(30))
    assert numbers(life, MEAN, every(5, 0, 60, 1)) == {"a s": TWO_THIRDS, "b s": THIRD}


def test_an_attribute_that_is_no_label_changes_nothing() -> None:
    life = resource(record(OLD), record(13.37), record(48))
    assert numbers(life, MEAN, every(5, 0, 60, 7)) == {"a s": "7"}


def test_each_pool_reduces_its_buckets_alone() -> None:
    # s: mean 2048 for a third; l: mean 8192 for two thirds.
    # 682.666..., 5461.333...: together 6144; the unit goes to the remainder .666...
    measures = every(5, 0, 20, 2048) | every(5, 20, 60, 8192)
    life = resource(record(OLD), record(20, flavor="l"))
    assert numbers(life, MEAN, measures) == {
        "a s": "682.666666666666666667 of 2048 of 0.333333333333333333",
        "a l": "5461.333333333333333333 of 8192 of 0.666666666666666667",
    }


def test_a_bucket_on_the_edge_counts_whole_in_both_pools() -> None:
    # The bucket :20 is 22 in both: s (4 * 10 + 22) / 5 = 12.4, l (7 * 20 + 22) / 8 = 20.25.
    # s until 22.5 minutes: share 0.375. 12.4 * 0.375 = 4.65; 20.25 * 0.625 = 12.65625.
    measures = every(5, 0, 20, 10) | {20: 22.0} | every(5, 25, 60, 20)
    life = resource(record(OLD), record(22.5, flavor="l"))
    assert numbers(life, MEAN, measures) == {
        "a s": "4.65 of 12.4 of 0.375",
        "a l": "12.65625 of 20.25 of 0.625",
    }


def test_the_hour_long_bucket_belongs_to_both() -> None:
    # One bucket of 60 minutes: both pools have the value 8, a quarter and three quarters.
    definition = metric(aggregation_method="max", force_granularity=3600)
    life = resource(record(OLD), record(15, scope="b"))
    assert numbers(life, definition, {0: 8.0}) == {
        "a s": "2 of 8 of 0.25",
        "b s": "6 of 8 of 0.75",
    }


def test_shares_of_three_pools_add_up() -> None:
    # 7 shared 20:20:20 is 2.333... each; 18 places of three floors miss one unit of 7. All
    # remainders are equal: the pool that started first gets it. So do shares of 1.
    life = resource(record(OLD), record(20, flavor="m"), record(40, flavor="l"))
    assert numbers(life, MEAN, every(5, 0, 60, 7)) == {
        "a s": "2.333333333333333334 of 7 of 0.333333333333333334",
        "a m": "2.333333333333333333 of 7 of 0.333333333333333333",
        "a l": "2.333333333333333333 of 7 of 0.333333333333333333",
    }


def test_a_sum_is_shared_by_its_parts() -> None:
    # 4 buckets of 10 and 8 of 5: 80 in all, each pool has 40.
    measures = every(5, 0, 20, 10) | every(5, 20, 60, 5)
    life = resource(record(OLD), record(20, flavor="l"))
    assert numbers(life, metric(aggregation_method="sum"), measures) == {
        "a s": "40 of 80 of 0.5",
        "a l": "40 of 80 of 0.5",
    }


def test_a_sum_has_one_offset_and_one_ceiling() -> None:
    # 30 / 7 + 1 = 5.28..., 6 after CEIL; 2 of 6 measures are s, so 2 and 4.
    definition = metric(aggregation_method="count", factor="1/7", offset=1, mutate="CEIL")
    life = resource(record(OLD), record(20, flavor="l"))
    measures = {5: 10.0, 25: 12.0, 35: 8.0}
    assert numbers(life, definition, measures) == {
        "a s": "2 of 6 of 0.333333333333333333",
        "a l": "4 of 6 of 0.666666666666666667",
    }


def test_a_sum_in_a_bucket_on_the_edge_is_shared_by_cover() -> None:
    # 2 of 5 minutes: 4 of 10.
    life = resource(record(OLD), record(22, scope="b"))
    assert numbers(life, metric(aggregation_method="sum"), {20: 10.0}) == {
        "a s": "4 of 10 of 0.4",
        "b s": "6 of 10 of 0.6",
    }


def test_a_sum_of_nothing_is_shared_by_time() -> None:
    # 0 + 6, shared 20:40.
    definition = metric(aggregation_method="sum", offset=6)
    life = resource(record(OLD), record(20, flavor="l"))
    assert numbers(life, definition, every(5, 0, 60, 0)) == {
        "a s": "2 of 6 of 0.333333333333333333",
        "a l": "4 of 6 of 0.666666666666666667",
    }


def test_a_sum_of_parts_with_different_signs_is_shared_by_time() -> None:
    # 4 * -3 + 8 * 6 = 36: 12 and 24 by time.
    definition = metric(aggregation_method="sum", negative="keep")
    life = resource(record(OLD), record(20, flavor="l"))
    measures = every(5, 0, 20, -3) | every(5, 20, 60, 6)
    assert numbers(life, definition, measures) == {
        "a s": "12 of 36 of 0.333333333333333333",
        "a l": "24 of 36 of 0.666666666666666667",
    }


def test_a_silent_revision_takes_no_part() -> None:
    # Measured until :20 only: l, from :30, has no bucket; s has the whole hour.
    life = resource(record(OLD), record(30, flavor="l"))
    assert numbers(life, MEAN, every(5, 0, 20, 3)) == {"a s": "3"}


def test_measures_before_the_first_record_belong_to_it() -> None:
    # s from its first bucket :00, which ended before the record of :46, until :47; l the rest.
    # 47/60 = 0.78333..., 13/60 = 0.21666...; the unit goes to .666...
    life = resource(record(46), record(47, flavor="l"))
    assert numbers(life, MEAN, every(5, 0, 60, 1)) == {
        "a s": "0.783333333333333333 of 1 of 0.783333333333333333",
        "a l": "0.216666666666666667 of 1 of 0.216666666666666667",
    }


def test_a_record_within_its_first_bucket_counts_from_the_record() -> None:
    # The bucket :30 had not ended when the record was made, at 32: 13 and 15 of 28 minutes.
    life = resource(record(32), record(45, flavor="l"))
    assert numbers(life, MEAN, every(5, 30, 60, 28)) == {
        "a s": "13 of 28 of 0.464285714285714286",
        "a l": "15 of 28 of 0.535714285714285714",
    }


def test_a_late_record_counts_where_it_was_made_before_the_hour_was_due() -> None:
    # Made at 1:30 after the start. Due at 1:00 with one period of wait, at 2:00 with two.
    life = resource(record(90))
    assert numbers(life, MEAN, every(5, 0, 60, 3), wait=1) == {}
    assert numbers(life, MEAN, every(5, 0, 60, 3), wait=2) == {"a s": "3"}


def test_collecting_again_takes_what_was_recorded_since() -> None:
    life = resource(record(190))
    assert numbers(life, MEAN, every(5, 0, 60, 3), wait=2) == {}
    assert numbers(life, MEAN, every(5, 0, 60, 3), wait=2, now=200) == {"a s": "3"}


def test_a_bucket_at_an_end_is_no_usage() -> None:
    # Ended at :20; the bucket :15 counts, those from :20 on do not.
    life = resource(record(OLD), record(21, ended=20))
    measures = every(5, 0, 20, 4) | every(5, 20, 60, 100)
    assert numbers(life, MEAN, measures) == {"a s": "4"}
    assert numbers(life, MEAN, measures, hour=1) == {}


def test_the_newest_record_says_whether_a_resource_ended() -> None:
    # The end of :20 is undone at 1:10: too late for one period of wait, in time for two.
    # (4 * 4 + 8 * 10) / 12 = 8.
    life = resource(record(OLD), record(21, ended=20), record(70))
    measures = every(5, 0, 20, 4) | every(5, 20, 60, 10)
    assert numbers(life, MEAN, measures, wait=1) == {"a s": "4"}
    assert numbers(life, MEAN, measures, wait=2) == {"a s": "8"}


def test_prorate_charges_the_time_lived() -> None:
    # From 15 to 45: half of 6.
    life = resource(record(15), record(46, ended=45))
    definition = metric(aggregation_method="mean", prorate=True)
    assert numbers(life, definition, every(5, 15, 45, 6)) == {"a s": "3 of 6 of 0.5"}


def test_prorate_shares_the_time_lived() -> None:
    # Born at 15: s until 30, l until the end at 45. A quarter of 1 each.
    life = resource(record(15), record(30, flavor="l"), record(46, flavor="l", ended=45))
    definition = metric(aggregation_method="mean", prorate=True)
    assert numbers(life, definition, every(5, 15, 45, 1)) == {
        "a s": "0.25 of 1 of 0.25",
        "a l": "0.25 of 1 of 0.25",
    }


def test_prorate_of_a_whole_hour_shares_nothing() -> None:
    definition = metric(aggregation_method="mean", prorate=True)
    assert numbers(resource(record(OLD)), definition, every(5, 0, 60, 1)) == {"a s": "1"}


def test_prorate_without_any_life_is_no_usage() -> None:
    # Started, as the record says, after the hour.
    definition = metric(aggregation_method="mean", prorate=True)
    life = resource(record(OLD, started=60))
    assert numbers(life, definition, every(5, 0, 60, 1)) == {}


def test_the_last_labels_can_have_it_all() -> None:
    # Mean of 4 * 10 and 8 * 40 is 30, whatever the flavor.
    definition = metric(aggregation_method="mean", use_all_resource_revisions=False)
    measures = every(5, 0, 20, 10) | every(5, 20, 60, 40)
    life = resource(record(OLD), record(20, flavor="l"))
    assert numbers(life, definition, measures) == {"a l": "30"}


def test_the_last_labels_are_those_in_each_scope() -> None:
    # a has s, then m until :30; b has l. Half of 8 each.
    definition = metric(aggregation_method="mean", use_all_resource_revisions=False)
    life = resource(record(OLD), record(20, flavor="m"), record(30, "b", "l"))
    assert numbers(life, definition, every(5, 0, 60, 8)) == {
        "a m": "4 of 8 of 0.5",
        "b l": "4 of 8 of 0.5",
    }


def test_a_query_is_applied_to_each_bucket() -> None:
    # 10 - 12 is at least 0, 20 - 12 = 8: mean 4.
    definition = metric(
        aggregation_method="mean",
        custom_query="(clip_min (- (aggregate mean (metric m mean)) 12) 0)",
    )
    measures = every(5, 0, 30, 10) | every(5, 30, 60, 20)
    assert numbers(resource(record(OLD)), definition, measures) == {"a s": "4"}


def test_a_negative_value_is_judged_after_reducing_and_before_the_factor() -> None:
    # Mean of -10 and 4: -3, so 0; kept and times -2: 6.
    measures = {0: -10.0, 5: 4.0}
    life = resource(record(OLD))
    definition = metric(aggregation_method="mean", factor=-2)
    assert numbers(life, definition, measures) == {"a s": "0"}
    definition = metric(aggregation_method="mean", factor=-2, negative="keep")
    assert numbers(life, definition, measures) == {"a s": "6"}


def test_of_a_stored_rate_each_bucket_is_judged() -> None:
    # -10 becomes 0: mean of 0 and 4.
    definition = metric(aggregation_method="rate:mean")
    assert numbers(resource(record(OLD)), definition, {0: -10.0, 5: 4.0}) == {"a s": "2"}


def test_a_cover_that_was_undone_leaves_15_digits() -> None:
    # 1/3 as a binary number is 0.3333333333333333; in the revisions' shared bucket :20 it has
    # 15 digits left. Half an hour's buckets are untouched, but 30 minutes have only this one.
    life = resource(record(OLD), record(22.5, flavor="l"))
    definition = metric(aggregation_method="max")
    assert numbers(life, definition, {20: 0.3333333333333333}) == {
        "a s": "0.124999999999999875 of 0.333333333333333 of 0.375",
        "a l": "0.208333333333333125 of 0.333333333333333 of 0.625",
    }
