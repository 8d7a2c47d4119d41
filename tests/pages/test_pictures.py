"""The documentation's pictures show pages as they are."""

from __future__ import annotations

import pathlib
from collections import Counter

from playwright.sync_api import Browser

from tests.pages.conftest import full
from tests.pages.pictures import FOLDER, Studio, list_pictures, read_text, take
from tests.pages.site import REPO, Site

#: Bytes; git keeps each version of each picture.
_MAX_SIZE = 150_000


@full
def test_no_picture_is_older_than_its_page(
    site: Site, browser: Browser, planned_rules: pathlib.Path
) -> None:
    studio = Studio(browser, site, planned_rules)
    stale = {}
    for picture in list_pictures():
        window = studio.show(picture)
        stored = (FOLDER / f"{picture.name}.txt").read_text(encoding="utf-8")
        shown = read_text(window, site)
        # Equal costs are in the order of IDs, which each Keystone makes up.
        lines, stored_lines = (Counter(text.splitlines()) for text in (shown, stored))
        if lines != stored_lines:
            difference = [*(lines - stored_lines), "was", *(stored_lines - lines)]
            stale[picture.name] = difference
        assert take(window).startswith(b"RIFF")
    studio.close()
    assert stale == {}, "run tools/pictures.sh, and look at what it writes"


def test_the_documentation_shows_each_picture() -> None:
    page = (REPO / "doc/pictures.rst").read_text(encoding="utf-8")
    names = {picture.name for picture in list_pictures()}
    for suffix in (".txt", ".webp"):
        assert {path.stem for path in FOLDER.glob(f"*{suffix}")} == names
    assert {name for name in names if f"pictures/{name}.webp" not in page} == set()
    sizes = {path.name: path.stat().st_size for path in FOLDER.glob("*.webp")}
    assert {name: size for name, size in sizes.items() if size > _MAX_SIZE} == {}
