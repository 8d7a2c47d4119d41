"""Texts in columns of a terminal: how wide they are, where they wrap, how IDs are shortened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import wcwidth

ELLIPSIS = "…"
#: Characters of an ID that are left when it is shortened, as in Git and Docker.
_ID_START = 8
#: A UUID with or without hyphens.
_ID = re.compile(r"\b([0-9a-f]{8})-?[0-9a-f]{4}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{8}\b")
#: A word with the spaces before it.
_WORD = re.compile(r"\s*\S+")
#: A part of a word: wraps may also follow the T of a time, and punctuation that is not in one.
_PART = re.compile(r"\s*(?:\d{4}-\d\d-\d\dT|(?:[^\s=,;:/-]|(?<=\d)[:-](?=\d))+[=,;:/-]*|[=,;:/-]+)")
#: How much further the lines after the first are indented in a record.
_INDENT = 2


def text_width(text: str) -> int:
    """Return how many columns of a terminal the widest line takes."""
    return max((max(0, wcwidth.wcswidth(line)) for line in text.split("\n")), default=0)


def shorten_ids(text: str) -> str:
    """Return a text with only the start of each UUID."""
    return _ID.sub(rf"\1{ELLIPSIS}", text)


def short_id(text: str) -> str:
    """Return the start of an ID, which need not be a UUID."""
    return text if len(text) <= _ID_START else text[:_ID_START] + ELLIPSIS


def longest_word(text: str, *, parts: bool = False) -> int:
    """Return the width of the longest text that is not wrapped.

    :param parts: words are wrapped at punctuation, too
    """
    pattern = _PART if parts else _WORD
    return max((text_width(word.strip()) for word in pattern.findall(text)), default=0)


def wrap(text: str, width: int, *, parts: bool = False, hanging: bool = False) -> list[str]:
    """Return a text in lines of at most ``width`` columns; a longer word has its own line.

    :param parts: also wrap at punctuation where a word is too long
    :param hanging: indent the lines after the first
    """
    return [line for row in text.split("\n") for line in _wrap_line(row, width, parts, hanging)]


def _wrap_line(text: str, width: int, parts: bool, hanging: bool) -> Iterator[str]:
    if text_width(text) <= width:
        yield text
        return
    indent = " " * (len(text) - len(text.lstrip()) + _INDENT) if hanging else ""
    line = ""
    for word in _pieces(text, width - len(indent), parts):
        if line.strip() and text_width(line + word.rstrip()) > width:
            yield line.rstrip()
            line = indent + word.lstrip()
        else:
            line += word
    yield line.rstrip()


def _pieces(text: str, width: int, parts: bool) -> Sequence[str]:
    """Return the words of a text, those that are wider than ``width`` in parts."""
    words: list[str] = []
    for word in _WORD.findall(text):
        long = parts and text_width(word.strip()) > width
        words += _PART.findall(word) if long else [word]
    return words
