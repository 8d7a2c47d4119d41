"""Bars of a summary, on a real terminal and elsewhere."""

from __future__ import annotations

import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping

import pytest
import wcwidth

from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Answer, Shell, configure

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
XTERM = {"TERM": "xterm", "LC_ALL": "C.UTF-8"}
PLAIN = {"NO_COLOR": "1"}
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TERM": "dumb"}


class Terminal:
    """Runs ``ratekit summary`` on a terminal."""

    def __init__(self, config: pathlib.Path) -> None:
        self._config = config

    def __call__(self, *argv: str, columns: int = 60, environ: Mapping[str, str] = XTERM) -> Answer:
        """Return what the terminal showed; standard error is apart."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, columns, 0, 0))
        visible = {
            name: value
            for name, value in os.environ.items()
            if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        command = [
            sys.executable,
            "-c",
            "import sys; from ratekit.cmd.launch import ratekit; sys.exit(ratekit())",
        ]
        files = ["--config-file", str(self._config)]
        process = subprocess.Popen(
            [*command, *files, "summary", "--begin", "2026-03", "--end", "2026-04", *argv],
            env={**visible, **XTERM, **environ},
            stdout=slave,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(slave)
        out = b""
        while part := _read(master):
            out += part
        os.close(master)
        _, err = process.communicate(timeout=60)
        return Answer(process.returncode, out.decode().replace("\r\n", "\n"), err)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # the other side was closed
        return b""


@pytest.fixture
def terminal(config: pathlib.Path) -> Terminal:
    """A terminal of 10 lines, and a currency."""
    configure(config, "rating", "currency = EUR")
    return Terminal(config)


def rate(storage: Storage, *prices: tuple[str, str, int, str]) -> None:
    """Rate (scope, metric, hour, price)."""
    scopes = sorted({scope for scope, *_ in prices})
    states = given.list_scopes(storage, *scopes)
    series = [
        given.build_series(scope, [("1", price)], metric=metric, begin=given.hour(hour))
        for scope, metric, hour, price in prices
    ]
    periods = given.window(1 + max(hour for *_, hour, _ in prices))
    storage.ledger.commit(given.batch(states, *series, periods=periods))


@pytest.fixture
def days(storage: Storage) -> None:
    """Four days, the third of them without usage."""
    rate(
        storage,
        ("a", "instance", 0, "10"),
        ("a", "volume", 0, "5"),
        ("a", "instance", 24, "20"),
        ("b", "volume", 72, "1"),
    )


@pytest.mark.usefixtures("days")
def test_each_day_has_a_bar_with_its_price(terminal: Terminal) -> None:
    answer = terminal("--groupby", "day", "--chart", environ=PLAIN)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "2026-03-01 " + "█" * 32 + " " * 11 + " 15.00",
        "2026-03-02 " + "█" * 43 + " 20.00",
        "2026-03-03 " + " " * 43 + "  0.00",
        "2026-03-04 " + "█" * 3 + " " * 40 + "  1.00",
        "Total: price 36.00 EUR, 4 frames, 2026-03-01T00:00:00Z to",
        "2026-04-01T00:00:00Z",
    ]


@pytest.mark.usefixtures("days")
def test_the_other_key_divides_the_bars(terminal: Terminal) -> None:
    for keys in ("day,metric", "metric,day"):
        lines = terminal("--groupby", keys, "--chart", environ=ASCII).out.splitlines()
        assert lines[0] == "# instance  = volume"
        assert re.fullmatch(r"2026-03-01 #+=+ +15\.00", lines[1])
        assert re.fullmatch(r"2026-03-02 #+ 20\.00", lines[2])
        assert re.fullmatch(r"2026-03-04 =+ +1\.00", lines[4])
        assert all(line.isascii() for line in lines)


@pytest.mark.usefixtures("days")
def test_without_a_time_each_value_has_a_bar(terminal: Terminal) -> None:
    lines = terminal("--chart", environ=ASCII).out.splitlines()
    assert lines[0] == "# instance  = volume"
    assert re.fullmatch(r"name of a #+=+ 35\.00", lines[1])
    assert re.fullmatch(r"name of b =+ +1\.00", lines[2])
    lines = terminal("--groupby", "metric", "--chart", environ=ASCII).out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["instance", "volume"]


@pytest.mark.usefixtures("days")
def test_colours_tell_parts_apart_unless_the_user_wants_none(terminal: Terminal) -> None:
    coloured = terminal("--groupby", "day,metric", "--chart").out
    assert {code for code in _COLOUR.findall(coloured) if code != "\x1b[0m"} == {
        "\x1b[38;5;12m",
        "\x1b[38;5;11m",
    }
    for environ in (PLAIN, ASCII, {"TERM": "dumb"}):
        plain = terminal("--groupby", "day,metric", "--chart", environ=environ).out
        assert "\x1b" not in plain
        assert len(plain.splitlines()) == len(coloured.splitlines())


@pytest.mark.usefixtures("days")
@pytest.mark.parametrize("columns", [30, 60, 133])
def test_lines_are_as_wide_as_the_terminal(terminal: Terminal, columns: int) -> None:
    out = terminal("--groupby", "day,metric", "--chart", columns=columns).out
    bars = [line for line in _COLOUR.sub("", out).splitlines() if line.startswith("2026-03-0")]
    assert {wcwidth.wcswidth(line) for line in bars[:4]} == {columns}


@pytest.mark.usefixtures("days")
def test_elsewhere_there_is_the_table(ratekit: Shell) -> None:
    table = ratekit("summary", "--begin", "2026-03", "--groupby", "day")
    assert ratekit("summary", "--begin", "2026-03", "--groupby", "day", "--chart") == table
    assert table.out.startswith("+--")


@pytest.mark.usefixtures("days")
def test_other_formats_have_no_chart(terminal: Terminal) -> None:
    argv = ("--groupby", "day", "-f", "json")
    assert terminal(*argv, "--chart").out == terminal(*argv).out


def test_without_frames_there_is_no_chart(terminal: Terminal) -> None:
    answer = terminal("--groupby", "day", "--chart")
    assert answer.code == 0
    assert "no frames match" in answer.err


# Numbers ------------------------------------------------------------------------------------


def test_prices_below_zero_go_to_the_other_side(terminal: Terminal, storage: Storage) -> None:
    rate(storage, ("a", "instance", 0, "30"), ("a", "rebate", 0, "-10"), ("a", "rebate", 24, "-5"))
    lines = terminal("--groupby", "day,metric", "--chart", environ=ASCII).out.splitlines()
    first, second = (line[11:54] for line in lines[1:3])
    assert re.fullmatch("=+#+", first)
    assert re.fullmatch(" +=+ +", second)
    zero = first.index("#")
    assert second.rstrip().rindex("=") <= zero
    assert [line.split()[-1] for line in lines[1:3]] == ["20.00", "-5.00"]


@pytest.mark.parametrize(
    ("prices", "texts"),
    [
        (("0.0000000000000000000000000001", "0.0000000000000000000000000003"), ("1e", "3e")),
        (("99999999999999999999999999999", "1"), None),
        (("0", "0"), ("0.00", "0.00")),
        (("-1", "-2"), ("-1.00", "-2.00")),
    ],
)
def test_prices_of_any_size_are_drawn(
    terminal: Terminal, storage: Storage, prices: tuple[str, str], texts: tuple[str, str] | None
) -> None:
    rate(storage, ("a", "instance", 0, prices[0]), ("a", "instance", 24, prices[1]))
    answer = terminal("--groupby", "day", "--chart", environ=ASCII)
    assert answer.code == 0
    sums = [line.split()[-1] for line in answer.out.splitlines()[:2]]
    if texts == ("1e", "3e"):
        assert sums == list(prices)
    elif texts is not None:
        assert sums == list(texts)
    largest = max(range(2), key=lambda index: abs(float(prices[index])))
    lengths = [line.count("#") for line in answer.out.splitlines()[:2]]
    assert lengths[largest] == max(lengths)
    assert (max(lengths) > 5) == any(map(float, prices))


# Too much -----------------------------------------------------------------------------------


def test_many_groups_and_parts_are_put_together(terminal: Terminal, storage: Storage) -> None:
    rate(
        storage,
        *[(f"s{number:02}", "instance", 0, str(100 - number)) for number in range(40)],
        *[("s00", f"metric{number}", 0, "1") for number in range(9)],
    )
    lines = terminal("--chart", environ=ASCII, columns=100).out.splitlines()
    assert lines[0] == "# instance  = metric0  + metric1  o metric2  x metric3  . others"
    assert [line.split()[2] for line in lines[1:31]] == [f"s{number:02}" for number in range(30)]
    assert lines[31].startswith("10 others")
    # 100 - 30 and so on to 100 - 39.
    assert lines[31].split()[-1] == "655.00"


def test_a_legend_is_wrapped(terminal: Terminal, storage: Storage) -> None:
    rate(storage, *[("a", f"a rather long metric {number}", 0, "1") for number in range(3)])
    lines = terminal(
        "--groupby", "day,metric", "--chart", columns=40, environ=ASCII
    ).out.splitlines()
    assert lines[:3] == [
        f"{mark} a rather long metric {number}" for number, mark in enumerate("#=+")
    ]


@pytest.mark.usefixtures("days")
@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("scope,metric,day", "one or two keys in --groupby, one of them a time at most, not scope"),
        ("day,month", "one or two keys in --groupby, one of them a time at most, not day,month"),
    ],
)
def test_keys_that_make_no_chart_are_named(
    ratekit: Shell, terminal: Terminal, keys: str, text: str
) -> None:
    line = f"ratekit: --chart: expected {text}"
    # On a terminal and elsewhere.
    for answer in (
        terminal("--groupby", keys, "--chart"),
        ratekit("summary", "--groupby", keys, "--chart"),
    ):
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith(line)
        assert len(answer.err.splitlines()) == 1


def test_too_many_times_are_refused(terminal: Terminal, storage: Storage) -> None:
    rate(storage, ("a", "instance", 0, "1"), ("a", "instance", 100, "1"))
    answer = terminal("--groupby", "hour", "--chart")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "ratekit: --chart: expected at most 100 hours, which are bars; choose a shorter time range "
        "or another time\n"
    )


def test_names_do_not_act_on_the_terminal(terminal: Terminal, storage: Storage) -> None:
    labels = {"name": "\x1b]0;owned\x07\u202e客" + "x" * 40}
    series = given.build_series("a", [("1", "1")], labels=labels)
    storage.ledger.commit(given.batch(given.list_scopes(storage, "a"), series))
    out = terminal("--groupby", "name", "--chart", environ=PLAIN).out
    assert out.splitlines()[0].startswith(r"\x1b]0;owned\x07\u202e")
    assert out.replace("\n", "").isprintable()
