"""User names and passwords of URLs are not shown, and foreign names forge no lines."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from ratekit import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("to http://joe:secret@host:1/v3: no", "to http://host:1/v3: no"),
        ("postgresql://joe:se@cr:et@host/db", "postgresql://host/db"),
        ("http://token@host", "http://host"),
        ("(http://a:b@c/d, http://e:f@g)", "(http://c/d, http://g)"),
        ("http://host/a@b and joe@example", "http://host/a@b and joe@example"),
        ("nothing here", "nothing here"),
    ],
)
def test_user_names_and_passwords_are_removed_from_urls(text: str, expected: str) -> None:
    assert redact.redact_urls(text) == expected


@pytest.fixture
def handler() -> Iterator[logging.StreamHandler[io.StringIO]]:
    """A handler of the root logger, which writes to memory."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def logger() -> logging.Logger:
    return logging.getLogger("tests.redact")


def test_messages_arguments_and_tracebacks_of_a_log_are_redacted(
    handler: logging.StreamHandler[io.StringIO], logger: logging.Logger
) -> None:
    redact.clean_logs()
    redact.clean_logs()
    try:
        raise OSError("no answer from http://joe:secret@host/x")
    except OSError:
        logger.exception("asked %s", "http://joe:secret@host/y")
    text = handler.stream.getvalue()
    assert text.startswith("ERROR asked http://host/y\nTraceback")
    assert text.endswith("OSError: no answer from http://host/x\n")
    assert "secret" not in text


#: A forged line, a window title, a reversed direction, other line breaks, an unpaired surrogate.
NAME = "a\n2026-01-01 INFO forged\r\x1b]0;owned\x07\u202etxt\u2028\x85\ud800"
ESCAPED = r"a\n2026-01-01 INFO forged\r\x1b]0;owned\x07\u202etxt\u2028\x85\ud800"


def test_a_message_is_one_line_whatever_is_in_it(
    handler: logging.StreamHandler[io.StringIO], logger: logging.Logger
) -> None:
    redact.clean_logs()
    logger.error("project %s: %s", NAME, Exception(NAME))
    logger.error(NAME)
    assert handler.stream.getvalue().split("\n") == [
        f"ERROR project {ESCAPED}: {ESCAPED}", f"ERROR {ESCAPED}", "",
    ]  # fmt: skip


def test_a_traceback_keeps_its_lines_and_nothing_else(
    handler: logging.StreamHandler[io.StringIO], logger: logging.Logger
) -> None:
    redact.clean_logs()
    try:
        raise OSError("x\x1b[2Jy\u202e")
    except OSError:
        logger.exception("failed")
    lines = handler.stream.getvalue().split("\n")
    assert lines[:2] == ["ERROR failed", "Traceback (most recent call last):"]
    assert lines[-2] == r"OSError: x\x1b[2Jy\u202e"
    assert all(map(str.isprintable, lines))


def test_a_handler_of_a_library_is_cleaned(logger: logging.Logger) -> None:
    """Files named in log_config_append give handlers to any logger."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        redact.clean_logs()
        logger.error("to http://joe:secret@host\x1b")
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue() == "to http://host\\x1b\n"


def test_the_colours_of_levels_stay() -> None:
    formatter = redact.Formatter(logging.Formatter("\x1b[01;31m%(message)s\x1b[00m"))
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "\x1b[01;31m", None, None)
    assert formatter.format(record) == "\x1b[01;31m" + r"\x1b[01;31m" + "\x1b[00m"


def test_a_traceback_beside_the_text_is_cleaned() -> None:
    """A handler for journald asks for it by itself."""
    try:
        raise OSError("no answer from http://joe:secret@host\x1b")
    except OSError:
        text = redact.Formatter(logging.Formatter()).formatException(sys.exc_info())
    assert text.endswith(r"OSError: no answer from http://host\x1b")
