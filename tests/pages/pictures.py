"""Pictures of the pages for the documentation: ``python -m tests.pages.pictures``.

Beside each picture is the text that its page had. The long profile compares the pages' texts with
these, so that a picture is never older than what its page says; what changes colours or places only
needs a look, and then this command. Pictures change in git only when somebody runs it.
"""

from __future__ import annotations

import base64
import pathlib
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from playwright.sync_api import Browser

from tests.pages import browser as browsers
from tests.pages import site as sites
from tests.pages.browser import NARROW, WIDE, Colors, Window
from tests.pages.site import REPO, Site
from tests.pages.views import VIEWS, Reader, View

FOLDER = REPO / "doc/pictures"
#: Pixels; what is below is more of the same.
_MAX_HEIGHT = 1600
_QUALITY = 60
_SUFFIX = ".webp"


class Picture(NamedTuple):
    """A view as it is shown in a window.

    :ivar name: of its file
    """

    name: str
    view: View
    width: int = WIDE
    colors: Colors = "light"


def list_pictures() -> Sequence[Picture]:
    """Return all pictures: of each view, and of some on a telephone and in the dark."""
    views = {view.name: view for view in VIEWS}
    return [
        *(Picture(name, view) for name, view in views.items()),
        Picture("overview-narrow", views["overview"], NARROW),
        Picture("overview-narrow-dark", views["overview"], NARROW, "dark"),
        Picture("status-narrow", views["status"], NARROW),
        Picture("totals-dark", views["totals"], WIDE, "dark"),
    ]


def read_text(window: Window, site: Site) -> str:
    """Return the text of the content, the same on each machine."""
    text = window.page.inner_text("main")
    names = {id_: f"[ID of {name}]" for name, id_ in site.project_ids.items()}
    names[str(site.folder)] = "[folder]"
    names[f"@{socket.gethostname()}"] = "@[host]"
    for value, name in names.items():
        text = text.replace(value, name)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


class Studio:
    """Shows views in windows of their readers, one for each size and colours."""

    def __init__(self, browser: Browser, site: Site, rules: pathlib.Path) -> None:
        self._browser = browser
        self._site = site
        self._rules = rules
        self._windows: dict[tuple[Reader, int, Colors], Window] = {}

    def show(self, picture: Picture) -> Window:
        """Return the window that shows a picture's view."""
        key = (picture.view.reader, picture.width, picture.colors)
        if key not in self._windows:
            self._windows[key] = self._open(*key)
        picture.view.show(self._windows[key], self._rules)
        return self._windows[key]

    def _open(self, reader: Reader, width: int, colors: Colors) -> Window:
        window = Window(self._browser, self._site.url, width=width, colors=colors)
        if reader != "nobody":
            window.log_in(self._site.member if reader == "member" else self._site.admin)
        return window

    def close(self) -> None:
        """Close all windows."""
        for window in self._windows.values():
            window.close()


def take(window: Window) -> bytes:
    """Return a picture of the page as WebP, which is smaller than what Playwright writes."""
    size: Mapping[str, Any] = window.page.evaluate(
        "() => ({width: innerWidth, height: document.documentElement.scrollHeight})"
    )
    clip = {"x": 0, "y": 0, "scale": 1, **size, "height": min(size["height"], _MAX_HEIGHT)}
    client = window.context.new_cdp_session(window.page)
    answer = client.send(
        "Page.captureScreenshot",
        {"format": "webp", "quality": _QUALITY, "captureBeyondViewport": True, "clip": clip},
    )
    return base64.b64decode(answer["data"])


def write(site: Site, browser: Browser, folder: pathlib.Path) -> None:
    """Write all pictures and their texts into a folder, and remove those of earlier views."""
    folder.mkdir(exist_ok=True)
    for stale in [*folder.glob(f"*{_SUFFIX}"), *folder.glob("*.txt")]:
        stale.unlink()
    with tempfile.TemporaryDirectory() as rules:
        studio = Studio(browser, site, site.write_planned_rules(pathlib.Path(rules)))
        for picture in list_pictures():
            window = studio.show(picture)
            (folder / f"{picture.name}{_SUFFIX}").write_bytes(take(window))
            text = read_text(window, site)
            (folder / f"{picture.name}.txt").write_text(text, encoding="utf-8")
            print(picture.name, file=sys.stderr)
        studio.close()


def main() -> None:
    """Start a cloud, and write the pictures of its pages."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sites.run(pathlib.Path(folder)) as site,
        browsers.run() as browser,
    ):
        write(site, browser, FOLDER)


if __name__ == "__main__":
    main()
