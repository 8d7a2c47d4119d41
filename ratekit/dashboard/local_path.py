"""Where a reader goes after a form: to a page, never to another host."""

from __future__ import annotations

import re

from ratekit.dashboard.page import ROOT

#: Longer ones fit no page, and not every browser.
_LONGEST = 2000
_PATH = re.compile(rf"{ROOT}(/[A-Za-z0-9_~-]+)*/?(\?[!$&'()*+,;=:@/?%A-Za-z0-9._~-]*)?\Z")


def read_local(value: object) -> str:
    """Return an address below ``/dashboard``, or ``/dashboard`` in place of any other."""
    if isinstance(value, str) and len(value) <= _LONGEST and _PATH.match(value):
        return value
    return ROOT
