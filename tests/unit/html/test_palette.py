"""The colours of series differ for everybody, and without colours.

The matrices simulate how colours look to people who lack one kind of cone: Machado, Oliveira and
Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009.
"""

import itertools
import re
from collections.abc import Sequence

import pytest

from ratekit.html.charts.stacked_bars import MAX_SERIES
from ratekit.html.environment import read_static

_STYLES = read_static("charts.css").decode()
_MODES = re.split(r"@media", _STYLES)[:3]
_SIGHT = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_WHITE = (0.9505, 1.0, 1.089)


def product(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def lab(colour: str, sight: str) -> list[float]:
    """Return lightness and two colour axes (CIE 1976) of a colour as somebody sees it."""
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    ratios = [
        max(value, 0) / white
        for value, white in zip(product(_XYZ, product(_SIGHT[sight], linear)), _WHITE, strict=True)
    ]
    x, y, z = (
        ratio ** (1 / 3) if ratio > 0.008856 else 7.787 * ratio + 16 / 116 for ratio in ratios
    )
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


def palette(mode: str) -> list[str]:
    colours = re.findall(r"--series-[0-9]: (#[0-9a-f]{6});", mode)
    assert len(colours) == MAX_SERIES
    return colours


@pytest.mark.parametrize("sight", _SIGHT)
@pytest.mark.parametrize("mode", _MODES, ids=["light", "dark", "print"])
def test_any_two_series_differ(mode: str, sight: str) -> None:
    for pair in itertools.combinations(palette(mode), 2):
        first, second = (lab(colour, sight) for colour in pair)
        # A difference of 2.3 is just noticeable where the two touch.
        assert sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5 > 8, pair


@pytest.mark.parametrize("mode", _MODES, ids=["light", "dark", "print"])
def test_they_differ_in_grey_and_neighbours_most(mode: str) -> None:
    grey = [lab(colour, "everybody")[0] for colour in palette(mode)]
    assert min(abs(a - b) for a, b in itertools.combinations(grey, 2)) > 7
    assert min(abs(a - b) for a, b in itertools.pairwise(grey)) > 14
