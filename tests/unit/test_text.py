import datetime
import json
import zoneinfo
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratekit.text import (
    count_text,
    duration_text,
    list_text,
    local_text,
    minute_text,
    number_text,
    printable,
    python_number,
    second_text,
    utc_text,
)

PARIS_NOON = datetime.datetime(
    2026, 1, 31, 12, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
)


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E+3", "1000"), ("0.0200", "0.02"), ("-5.0", "-5"), ("0E-28", "0"), ("100", "100")],
)
def test_a_number_has_neither_exponent_nor_trailing_zeros(number: str, text: str) -> None:
    assert number_text(Decimal(number)) == text


def test_instants_are_written_in_utc() -> None:
    assert utc_text(PARIS_NOON) == "2026-01-31T11:30:00Z"
    assert minute_text(PARIS_NOON) == "2026-01-31T11:30Z"
    fraction = PARIS_NOON.replace(microsecond=5)
    assert utc_text(fraction) == "2026-01-31T11:30:00.000005Z"
    assert second_text(fraction) == "2026-01-31T11:30:00Z"


@pytest.mark.parametrize(
    ("zone", "month", "text"),
    [
        ("UTC", 7, "2026-07-31T11:30:00Z"),
        ("Europe/Berlin", 7, "2026-07-31T13:30:00+02:00"),
        ("Europe/London", 1, "2026-01-31T11:30:00Z"),
        ("Europe/London", 7, "2026-07-31T12:30:00+01:00"),
    ],
)
def test_an_instant_may_be_written_in_a_zone(zone: str, month: int, text: str) -> None:
    assert local_text(PARIS_NOON.replace(month=month), zoneinfo.ZoneInfo(zone)) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 scopes"), (1, "1 scope"), (2, "2 scopes"), (1200, "1,200 scopes")]
)
def test_a_count_agrees_with_its_noun(count: int, text: str) -> None:
    assert count_text(count, "scope") == text


def test_a_noun_may_have_an_irregular_plural() -> None:
    assert count_text(1, "entry", "entries") == "1 entry"
    assert count_text(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("words", "text"),
    [("", ""), ("a", "a"), ("abc", "a, b, c"), ("abcd", "a, b, c and 1 more")],
)
def test_a_long_list_ends_with_the_number_of_omitted_words(words: str, text: str) -> None:
    assert list_text(words, limit=3) == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15))
@settings(max_examples=300, deadline=None)
def test_a_number_of_a_json_document_is_the_same_in_python(number: float) -> None:
    parsed = json.loads(json.dumps(number), parse_float=Decimal, parse_int=Decimal)
    assert str(python_number(parsed)) == str(number)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("Zoë 東京 😀 'a' \\", "Zoë 東京 😀 'a' \\"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[2J\x00\x7f\x9b", r"\x1b[2J\x00\x7f\x9b"),
        ("\u202e\u2066\u200f", r"\u202e\u2066\u200f"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\ud800 \U000e0001", r"\ud800 \U000e0001"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(text: str, escaped: str) -> None:
    assert printable(text) == escaped


@given(st.text())
def test_any_text_is_one_printable_line(text: str) -> None:
    line = printable(text)
    assert line.isprintable()
    assert printable(line) == line
    line.encode()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "0 s"),
        ({"hours": 1}, "1 h"),
        ({"days": 1}, "1 d"),
        ({"hours": 36}, "1 d 12 h"),
        ({"minutes": 90}, "1 h 30 min"),
        ({"days": 365, "seconds": 1}, "365 d 1 s"),
        ({"milliseconds": 1500}, "1.5 s"),
        ({"hours": -2, "minutes": -5}, "-2 h 5 min"),
    ],
)
def test_a_duration_is_written_in_units_without_those_that_are_zero(
    arguments: dict[str, int], text: str
) -> None:
    assert duration_text(datetime.timedelta(**arguments)) == text


def test_a_duration_may_be_cut_to_its_largest_units() -> None:
    duration = datetime.timedelta(days=3, hours=4, minutes=59)
    assert duration_text(duration, limit=2) == "3 d 4 h"
    assert duration_text(duration, limit=1) == "3 d"


@given(st.timedeltas())
def test_a_duration_in_full_loses_nothing(duration: datetime.timedelta) -> None:
    units = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
    words = duration_text(duration).removeprefix("-").split(" ")
    seconds = sum(
        Decimal(number) * units[unit] for number, unit in zip(words[::2], words[1::2], strict=True)
    )
    assert seconds * 1_000_000 == abs(duration) // datetime.timedelta(microseconds=1)
