"""Pages about all projects are for administrators, whoever asks and however."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.dashboard import routes
from ratekit.dashboard.operator import OperatorArguments, OperatorRange
from ratekit.storage import migrate
from tests.page_client import PageClient
from tests.unit.dashboard.cloud import SCRIPT
from tests.unit.dashboard.conftest import open_copy

PAGES = [
    page for page in routes.PAGES if issubclass(page.arguments, OperatorArguments | OperatorRange)
]
PATHS = {
    "/dashboard/coverage": "/dashboard/coverage?scope=a",
    "/dashboard/tasks/{task}": "/dashboard/tasks/1",
    "/dashboard/rules/change": "/dashboard/rules/change?version=1",
    "/dashboard/rules/line": "/dashboard/rules/line?line=x",
}
LINKS = [PATHS.get(page.path, page.path) for page in PAGES]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, filled: pathlib.Path) -> PageClient:
    """Return a client that all tests of this module share: they only read."""
    return open_copy(filled, tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> PageClient:
    """Return a client of the pages over an empty database, likewise."""
    folder: pathlib.Path = tmp_path_factory.mktemp("empty")
    url = f"sqlite:///{folder}/empty.sqlite"
    migrate.upgrade(url)
    return PageClient(folder, url)


def test_there_are_such_pages() -> None:
    assert len(PAGES) >= 11


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("project", ["a", "b", ""])
def test_a_member_gets_a_page_that_says_no(cloud: PageClient, link: str, project: str) -> None:
    response = cloud.get(link, project)
    assert response.status == 403
    assert response.content.find("h1") is not None
    assert not [name for name in ("beta", "gamma", "delta", SCRIPT) if name in response.text]
    separator = "&" if "?" in link else "?"
    assert cloud.get(f"{link}{separator}format=csv", project).status == 403


def test_a_member_cannot_send_the_form_of_a_plan(cloud: PageClient) -> None:
    csrf = cloud.get("/dashboard/about", "a").field("csrf") or cloud.get("/dashboard/plan").field(
        "csrf"
    )
    fields = {"file": ("rules.yml", b"services: {}")}
    assert cloud.post("/dashboard/plan", fields, "a", csrf=csrf).status == 403


def test_a_member_has_no_such_entries_in_the_menu(cloud: PageClient) -> None:
    document = cloud.get("/dashboard/about", "a").document
    assert "Operation" not in document.get_text()
    links = {str(link["href"]) for link in document.find_all("a", href=True)}
    assert not links.intersection(LINKS)


def test_an_administrator_has_all_entries(cloud: PageClient) -> None:
    document = cloud.get("/dashboard/status").document
    links = {str(link["href"]) for link in document.select("nav.menu a")}
    assert {page.path for page in PAGES if page.section is not None} <= links


@pytest.mark.parametrize("link", LINKS)
def test_no_page_has_markup_of_others(cloud: PageClient, link: str) -> None:
    response = cloud.get(link)
    assert response.status == (404 if link.endswith("line=x") else 200)
    assert not response.document.find_all("script")
    assert not response.document.find_all(style=True)


@pytest.mark.parametrize("link", LINKS)
def test_a_page_of_an_empty_database_is_no_error(pages: PageClient, link: str) -> None:
    is_about_one = "?" in link or link.endswith("1")
    assert pages.get(link).status == (404 if is_about_one else 200)
    assert pages.get(link).content.find("h1") is not None


@pytest.mark.parametrize(
    "link", [link for link in LINKS if "?" not in link and not link.endswith(("1", "plan"))]
)
def test_each_list_can_be_had_as_csv(cloud: PageClient, link: str) -> None:
    response = cloud.get(link, format="csv")
    assert response.headers["content-type"].startswith("text/csv")
    assert len(response.csv) > 1
    assert len({len(line) for line in response.csv}) == 1
