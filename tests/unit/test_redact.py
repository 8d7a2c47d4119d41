"""User names and passwords of URLs are not shown."""

from __future__ import annotations

import io
import logging

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


def test_messages_arguments_and_tracebacks_of_a_log_are_redacted() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("tests.redact")
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        redact.redact_logs()
        redact.redact_logs()
        try:
            raise OSError("no answer from http://joe:secret@host/x")
        except OSError:
            logger.exception("asked %s", "http://joe:secret@host/y")
    finally:
        root.removeHandler(handler)
    text = stream.getvalue()
    assert text.startswith("ERROR asked http://host/y\nTraceback")
    assert text.endswith("OSError: no answer from http://host/x\n")
    assert "secret" not in text
