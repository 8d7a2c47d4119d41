"""The values of options that several commands have."""

from __future__ import annotations

import argparse

import pytest

from ratekit.cmd import options


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("0010", 10), ("24", 24)])
def test_a_whole_number_within_its_limits_is_read(text: str, number: int) -> None:
    assert options.whole_number(1, 24)(text) == number


@pytest.mark.parametrize("text", ["0", "25", "-1", "1.5", "", "x", "²", "٣", "9" * 5000])
def test_a_wrong_number_is_reported_with_the_limits(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as error:
        options.whole_number(1, 24)(text)
    assert str(error.value) == f"expected a whole number from 1 to 24, not {text!r}"


def test_a_number_without_a_maximum_is_limited_by_the_database() -> None:
    read = options.whole_number(0)
    assert read("999999999999999999") == 10**18 - 1
    with pytest.raises(argparse.ArgumentTypeError, match="of at least 0, not '-1'"):
        read("-1")
    with pytest.raises(argparse.ArgumentTypeError, match="of at least 0"):
        read("1" + "0" * 18)
