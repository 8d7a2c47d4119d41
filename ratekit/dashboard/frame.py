"""What is around the content of each page: who reads it, the menu, and the form secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from ratekit.html import environment
from ratekit.html.formats import Formats

#: Stands where the content will; no value can contain it, because values are escaped.
_PLACE = Markup("<!--content-->")


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """Who reads the page, by names; empty: none.

    :ivar can_log_out: he has logged in
    """

    user: str
    project: str
    can_log_out: bool


@dataclasses.dataclass(frozen=True, slots=True)
class MenuEntry:
    """A page that the reader may see.

    :ivar current: it is the one that is shown
    """

    title: str
    link: str
    current: bool


@dataclasses.dataclass(frozen=True, slots=True)
class MenuSection:
    """A part of the menu."""

    title: str
    entries: Sequence[MenuEntry]


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """What is around the content.

    :ivar title: of the window
    :ivar root: what stands before ``/dashboard`` in addresses
    :ivar person: None: nobody has logged in
    :ivar csv_link: address of the page's table; empty: it has none
    :ivar csrf: what each form must send back
    :ivar settings_link: where the project and the zone are chosen
    """

    title: str
    root: str
    version: str
    person: Person | None = None
    menu: Sequence[MenuSection] = ()
    csv_link: str = ""
    csrf: str = ""
    settings_link: str = ""

    def split(self, formats: Formats) -> tuple[str, str]:
        """Return the HTML before and after the content."""
        text = environment.render("base.html", formats, {"frame": self, "content": _PLACE})
        head, _, foot = text.partition(_PLACE)
        return str(head), str(foot)
