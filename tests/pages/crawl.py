"""Follows all links, breadth first; of each kind of page only some, so that it ends."""

from __future__ import annotations

import collections
import datetime
import re
import urllib.parse
from collections.abc import Iterator, Sequence

from tests.pages.browser import Window

#: Pages of one kind that are opened.
_OF_A_KIND = 2
#: Arguments whose values are kinds of pages.
_CHOICES = frozenset({"by", "format", "kind", "order", "stage", "state"})


def crawl(window: Window, start: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the address of each page, and what is wrong there."""
    queue, addresses = collections.deque([start]), {start}
    counts: collections.Counter[object] = collections.Counter()
    while queue:
        address = queue.popleft()
        kind = _kind(address)
        if counts[kind] >= _OF_A_KIND:
            continue
        counts[kind] += 1
        if "format=csv" in address:
            yield address, _download(window, address)
            continue
        status = window.open(address)
        yield address, [*window.inspect(), *([] if status == 200 else [str(status)])]
        links = [link for link in window.links() if link not in addresses]
        addresses.update(links)
        queue.extend(links)


def _kind(address: str) -> object:
    parts = urllib.parse.urlsplit(address)
    arguments = dict(urllib.parse.parse_qsl(parts.query))
    length = None
    if {"begin", "end"} <= arguments.keys():
        begin, end = (datetime.datetime.fromisoformat(arguments[key]) for key in ("begin", "end"))
        # Of an hour, a day, or more: other ranges are no other kinds.
        length = min((end - begin) // datetime.timedelta(hours=12), 2)
    return (
        re.sub(r"\d+", "0", parts.path),
        length,
        tuple((name, arguments[name] * (name in _CHOICES)) for name in sorted(arguments)),
    )


def _download(window: Window, address: str) -> Sequence[str]:
    """Return what is wrong with a file, which browsers do not show."""
    response = window.context.request.get(f"{window.url}{address}")
    content = response.headers["content-type"]
    good = response.status == 200 and content.startswith("text/csv") and response.body()
    return [] if good else [f"{response.status} {content}"]
