"""Charts: valid, without styles and scripts, and true to their values."""

import datetime
import re
from collections.abc import Sequence
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.html.charts import Bar, Span, TimelineRow, bars, stacked_bars, timeline
from ratekit.html.charts.scale import scale_of
from ratekit.html.charts.stacked_bars import MAX_SERIES

MONTH = [f"2026-01-{day:02}" for day in range(1, 32)]
NASTY = "<script>alert('x')</script>\"&\x1b[31m\u202e"
AMOUNTS = st.decimals(-(10**12), 10**12, places=9)


def parse(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def part_heights(markup: str, kind: str) -> list[float]:
    parts = [node for node in parse(markup).iter("rect") if node.get("class") == kind]
    return [float(node.get("height", "")) for node in parts if "%" in node.get("width", "")]


def texts(markup: str, kind: str) -> list[str]:
    return [node.text or "" for node in parse(markup).iter("text") if kind == node.get("class")]


def any_chart(name: str, link: str | None = None) -> Sequence[str]:
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    end = begin + datetime.timedelta(days=1)
    return [
        stacked_bars(name, [name], {name: [Decimal(1)]}, name, {name: link} if link else None),
        bars(name, [Bar(name, Decimal(1), link)], name),
        timeline(
            name, [TimelineRow(name, [Span(begin, end, "gap", link)])], begin, end, datetime.UTC
        ),
        stacked_bars(name, [], {}, name),
        bars(name, [], name),
        timeline(name, [], begin, end, datetime.UTC),
    ]


@pytest.mark.parametrize("link", [None, "/dashboard?a=1&b=2"])
def test_a_strict_policy_allows_all_of_a_chart(link: str | None) -> None:
    for chart in any_chart(NASTY, link):
        for node in parse(chart).iter():
            assert node.tag not in {"style", "script", "foreignObject"}
            assert not any(key == "style" or key.startswith("on") for key in node.attrib)


def test_markup_and_control_characters_in_names_are_text() -> None:
    for chart in any_chart(NASTY):
        assert "<script" not in chart
        assert "\x1b" not in chart
        assert "\u202e" not in chart
        assert r"\x1b[31m\u202e" in chart


def test_a_chart_with_links_is_no_image() -> None:
    """The children of an image are not read out, so nobody could follow them."""
    for chart in any_chart("x", "/y")[:3]:
        for drawing in parse(chart).iter("svg"):
            assert drawing.get("role") != "img" or drawing.find(".//a") is None
        assert [node.get("href") for node in parse(chart).iter("a")] == ["/y"]


def test_each_drawing_says_what_it_shows() -> None:
    sentences = []
    for chart in [*any_chart("Costs"), *any_chart("Costs", "/y")]:
        for drawing in parse(chart).iter("svg"):
            if drawing.get("role") is None:
                assert drawing.get("aria-hidden") == "true"
                continue
            sentences.append(drawing.get("aria-label"))
            assert drawing.findtext("title") == (
                sentences[-1] if drawing.get("role") == "img" else None
            )
    days = "Costs, 2026-01-01 00:00 to 2026-01-02 00:00: gap"
    assert sentences == ["Costs, 1 bar; the largest: Costs: 1 Costs", days] * 2


def test_the_sentence_of_bars_names_the_largest() -> None:
    amounts = [Decimal(1), Decimal(-9), Decimal(3)]
    chart = stacked_bars("Cost a day", MONTH[:3], {"x": amounts}, "EUR")
    expected = "Cost a day, 3 bars; the largest: 2026-01-02: -9 EUR"
    [drawing] = [node for node in parse(chart).iter("svg") if node.get("role")]
    assert drawing.findtext("title") == expected
    # Numbers out of their place say nothing.
    assert {text.get("aria-hidden") for text in drawing.iter("text")} == {"true"}


def test_heights_are_in_proportion_to_values() -> None:
    chart = stacked_bars("t", ["a", "b"], {"x": [Decimal(10), Decimal(5)]}, "EUR")
    first, second = part_heights(chart, "series-1")
    assert first == pytest.approx(2 * second, abs=0.02)


def test_negative_values_are_below_zero() -> None:
    chart = stacked_bars("t", ["a"], {"up": [Decimal(3)], "down": [Decimal(-3)]}, "")
    rects = {node.get("class"): node for node in parse(chart).iter("rect") if len(node)}
    up, down = rects["series-1"], rects["series-2"]
    assert float(up.get("y", "")) + float(up.get("height", "")) == float(down.get("y", ""))


@pytest.mark.parametrize(
    ("largest", "unit", "ticks"),
    [
        ("1E-9", "in 0.000000001 EUR", ["0", "0.25", "0.5", "0.75", "1"]),
        ("1E+12", "in 1,000,000,000,000 EUR", ["0", "0.25", "0.5", "0.75", "1"]),
        ("123456", "in EUR", ["0", "50,000", "100,000", "150,000"]),
        ("0.0123", "in EUR", ["0", "0.005", "0.01", "0.015"]),
        ("-7", "in EUR", ["-8", "-6", "-4", "-2", "0"]),
    ],
)
def test_ticks_are_round_and_name_their_unit(largest: str, unit: str, ticks: list[str]) -> None:
    scale = scale_of([Decimal(largest)])
    assert scale.unit_text("EUR") == unit
    assert scale.tick_texts() == ticks


@given(st.lists(AMOUNTS, min_size=1))
def test_a_scale_has_all_values_zero_and_short_texts(values: list[Decimal]) -> None:
    scale = scale_of(values)
    assert Decimal(0) in scale.ticks
    assert scale.ticks[0] <= min(values)
    assert max(values) <= scale.ticks[-1]
    assert 2 <= len(scale.ticks) <= 8
    assert max(map(len, scale.tick_texts())) <= 12


def test_31_days_have_names_that_do_not_overlap() -> None:
    chart = stacked_bars("t", MONTH, {"x": [Decimal(1)] * 31}, "EUR")
    narrow = texts(chart, "chart-name")
    wide = texts(chart, "chart-name chart-wide")
    assert narrow[0] == "01-01"
    # Seven pixels a character; a telephone of 360 px leaves 240 for the plot, A4 560.
    assert len(narrow) * len("01-01") * 7 < 240
    assert (len(narrow) + len(wide)) * len("01-01") * 7 < 560


@pytest.mark.parametrize(
    ("buckets", "names"),
    [
        (["2026-01-30", "2026-01-31"], ["01-30", "01-31"]),
        (["2026-01-30 22:00", "2026-01-30 23:00"], ["22:00", "23:00"]),
        (["2026-01-30 23:00", "2026-01-31 00:00"], ["01-30 23:00", "01-31 00:00"]),
        (["2026-10-25 02:00 CEST", "2026-10-25 02:00 CET"], ["02:00 CEST", "02:00 CET"]),
        (["2026-01", "2026-02"], ["2026-01", "2026-02"]),
    ],
)
def test_an_axis_does_not_repeat_what_all_its_times_share(
    buckets: list[str], names: list[str]
) -> None:
    chart = stacked_bars("t", buckets, {"x": [Decimal(1)] * 2}, "EUR")
    assert texts(chart, "chart-name") == names
    assert f"{buckets[0]}: 1 EUR" in chart


def test_a_series_called_other_is_not_lost_among_others() -> None:
    series = {f"m{number}": [Decimal(1)] for number in range(2 * MAX_SERIES)}
    count = len(series) + 1 - (MAX_SERIES - 1)
    chart = stacked_bars("Cost", ["day"], {**series, f"other ({count})": [Decimal(1000)]}, "EUR")
    assert f"day: {len(series) + 1000:,} EUR" in chart
    assert f"day, other ({count}): 1,000 EUR" in chart
    assert f"day, all other ({count}): {count} EUR" in chart


def test_the_last_of_few_series_may_stand_for_all_others() -> None:
    series = {"web": [Decimal(1)], "other (9)": [Decimal(2)]}
    kinds = [
        [node.get("class") for node in parse(chart).iter("rect") if "%" in node.get("width", "")]
        for chart in (
            stacked_bars("c", ["day"], series, "EUR", has_rest=True),
            stacked_bars("c", ["day"], series, "EUR"),
        )
    ]
    assert "series-other" in kinds[0]
    assert "series-other" not in kinds[1]


def test_what_has_no_colour_is_other() -> None:
    series = {f"m{index}": [Decimal(index + 1)] for index in range(20)}
    chart = stacked_bars("t", ["day"], series, "EUR")
    names = [(node.find("svg/rect"), "".join(node.itertext())) for node in parse(chart).iter("li")]
    assert len(names) == MAX_SERIES
    assert names[-1][1].strip() == "other (13)"
    assert names[-1][0] is not None
    assert names[-1][0].get("class") == "series-other"
    # 1 + 2 + … + 13
    assert "day, other (13): 91 EUR" in chart


@pytest.mark.parametrize("values", [[], [Decimal(0), Decimal("0.000")]])
def test_nothing_is_said_in_words(values: list[Decimal]) -> None:
    chart = stacked_bars("t", MONTH[: len(values)], {"x": values}, "EUR")
    assert "no costs in this time" in chart
    assert "<svg" not in chart


def test_a_lost_hour_of_a_month_is_seen() -> None:
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    end = begin + datetime.timedelta(days=31)
    gap = Span(end - datetime.timedelta(hours=1), end, "gap")
    chart = timeline("t", [TimelineRow("p1", [gap])], begin, end, datetime.UTC)
    [strip] = [node for node in parse(chart).iter("rect") if "%" in node.get("width", "")]
    x, width = (float(strip.get(name, "").rstrip("%")) for name in ("x", "width"))
    assert width >= 0.4
    assert x + width <= 100
    assert strip.findtext("title") == "p1: gap, 2026-01-31 23:00 to 2026-02-01 00:00"


def test_a_timeline_is_in_its_zone_and_cuts_what_is_outside() -> None:
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    day = datetime.timedelta(days=1)
    zone = datetime.timezone(datetime.timedelta(hours=2), "TWO")
    rows = [
        TimelineRow(
            "p1",
            [
                Span(begin - 3 * day, begin + day, "silent"),
                Span(begin - 3 * day, begin - day, "gap"),
            ],
        )
    ]
    chart = timeline("t", rows, begin, begin + 2 * day, zone)
    assert "p1: silent, 2026-01-01 02:00 to 2026-01-02 02:00" in chart
    assert "p1: gap" not in chart
    assert "(TWO)" in chart


def test_the_largest_bar_of_a_table_with_a_name_has_all_the_room() -> None:
    chart = bars("Costs", [Bar("a", Decimal("9.22")), Bar("b", Decimal("4.61"))], "EUR")
    assert [node.get("width") for node in parse(chart).iter("rect")] == ["100%", "50%"]
    assert [node.get("aria-label") for node in parse(chart).iter("table")] == ["Costs"]
    # Nothing is as wide as nothing.
    chart = bars("t", [Bar("a", Decimal(0))], "EUR")
    assert [node.get("width") for node in parse(chart).iter("rect")] == ["0%"]


def test_a_bar_left_of_zero_ends_there() -> None:
    chart = bars("t", [Bar("credit", Decimal(-1)), Bar("cost", Decimal(1))], "EUR")
    drawn = [
        [float(node.get(name, "").rstrip("%")) for name in ("x", "width")]
        for node in parse(chart).iter("rect")
    ]
    assert drawn == [[0, 50], [50, 50]]
    assert re.findall(r"<td[^>]*>([^<]*)</td>", chart) == ["-1", "1"]
