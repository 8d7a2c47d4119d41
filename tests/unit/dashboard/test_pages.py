"""What all pages have in common."""

from __future__ import annotations

import datetime
import pathlib
import threading
import urllib.parse
from collections.abc import Callable
from decimal import Decimal

import bs4
import pytest

from ratekit import errors
from ratekit.api.arguments import Arguments
from ratekit.api.faults import Fault
from ratekit.dashboard.page import Page, PageCall, PageRange, Section, Table, View
from tests.page_client import PageClient

#: What a name could be, to be taken for markup.
_SCRIPT = "<script>alert(1)</script><a onclick=x href='javascript:x'>\"'&"


def page(handler: Callable[[PageCall[Arguments]], View], **more: object) -> Page:
    """A page with an error's template: the simplest that shows values."""
    settings = {"rule": None, "title": "Example", "template": "error.html", **more}
    return Page("/dashboard/example", handler, **settings)  # type: ignore[arg-type]


def view(message: str, table: Table | None = None) -> View:
    return View({"title": "Example", "message": message, "advice": "", "settings_link": ""}, table)


@pytest.fixture
def client(tmp_path: pathlib.Path, url: str) -> Callable[..., PageClient]:
    """Return a function that returns a client of one page."""

    def build(handler: Callable[..., View], patience: float = 60, **more: object) -> PageClient:
        return PageClient(tmp_path, url, pages=[page(handler, **more)], patience=patience)

    return build


@pytest.mark.parametrize("host", ["evil.example", "[", "[x]", "a b", "a\\b", "\\\\b"])
def test_the_root_leads_to_the_first_page(pages: PageClient, host: str) -> None:
    response = pages.get("/dashboard", headers={"Host": host})
    assert response.status == 303
    assert response.headers["location"] == "/dashboard/overview"


def test_a_page_has_landmarks_a_title_and_a_skip_link(pages: PageClient) -> None:
    document = pages.get("/dashboard/about").document
    assert document.title is not None
    assert document.title.text == "About — ratekit"
    for landmark in ("header", "nav", "main", "footer"):
        assert len(document.find_all(landmark)) == 1
    skip = document.select_one("a.skip")
    assert skip is not None
    assert skip["href"] == "#content"
    assert len(document.find_all("h1")) == 1
    assert document.html is not None
    assert document.html["lang"] == "en"


def test_the_menu_marks_the_page_that_is_shown(pages: PageClient) -> None:
    (entry,) = pages.get("/dashboard/about").document.select("nav a[aria-current=page]")
    assert entry.text == "About"
    assert entry["href"] == "/dashboard/about"


def test_the_menu_has_only_what_the_reader_may_see(client: Callable[..., PageClient]) -> None:
    pages = client(lambda _: view("x"), rule="scope:get_state", section=Section.OPERATOR)
    assert "Example" in str(pages.get("/dashboard/example").document.nav)
    response = pages.get("/dashboard/example", project="p1")
    assert response.status == 403
    assert response.document.nav is None
    assert response.content.h1 is not None
    assert response.content.h1.text == "No permission"


def test_the_menu_keeps_the_project_and_the_range(pages: PageClient) -> None:
    query = "scope=a%26b&begin=2026-03-01&end=2026-03-02"
    menu = pages.get(f"/dashboard/costs?{query}").document.nav
    assert menu is not None
    links = {link.text: link["href"] for link in menu.find_all("a")}
    assert links["Resources"] == f"/dashboard/resources?{query}"
    assert links["About"] == "/dashboard/about"
    # A range that is wrong is not kept: no page could be shown.
    wrong = pages.get("/dashboard/costs?begin=x")
    assert wrong.status == 400
    assert "begin=x" not in str(wrong.document.nav)


def test_the_about_page_shows_metrics_and_their_csv(pages: PageClient) -> None:
    response = pages.get("/dashboard/about", project="p1")
    assert response.status == 200
    assert ["volume.size", "GiB"] in [row[:2] for row in response.rows]
    table = pages.get(response.links["Download as CSV, with all digits"], project="p1")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"] == 'attachment; filename="metrics.csv"'
    assert table.csv[0] == ["metric", "unit", "labels"]
    assert ["volume.size", "GiB"] in [row[:2] for row in table.csv]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dashboard/about", 200),
        ("/dashboard/about?format=csv", 200),
        ("/dashboard/about?format=pdf", 400),
        ("/dashboard/about?begni=1", 400),
        ("/dashboard/nothing/at/all", 404),
        ("/dashboard", 303),
        ("/dashboard/static/style.css", 200),
        ("/dashboard/static/other.css", 404),
    ],
)
def test_every_answer_has_the_headers_that_protect(
    pages: PageClient, path: str, status: int
) -> None:
    response = pages.get(path)
    assert response.status == status
    headers = response.headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    is_file = path == "/dashboard/static/style.css"
    assert headers["cache-control"] == ("public, max-age=86400" if is_file else "no-store")
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize("accept", ["*/*", "text/html,application/xml;q=0.9", "application/json"])
@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/dashboard/nothing", 404),
        ("GET", "/dashboard/nothing/at/all", 404),
        ("GET", "/dashboard/static/nothing", 404),
        ("DELETE", "/dashboard/about", 405),
        ("GET", "/dashboard/zone", 405),
        ("GET", "/dashboard/about?x=1", 400),
    ],
)
def test_every_error_is_a_page(
    pages: PageClient, verb: str, path: str, status: int, accept: str
) -> None:
    response = pages.get(path, verb=verb, headers={"Accept": accept})
    assert response.status == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.content.h1 is not None
    assert len(response.words.split(". ")) > 1, "it says what happened, and what to do"


def test_under_tls_browsers_are_told_to_stay_there(pages: PageClient) -> None:
    pages.parts.conf.set_override("enable_proxy_headers_parsing", True, group="oslo_middleware")
    response = pages.get("/dashboard/about", headers={"X-Forwarded-Proto": "https"})
    assert response.headers["strict-transport-security"] == "max-age=31536000"


def test_a_page_has_no_script_and_no_inline_style(pages: PageClient) -> None:
    document = pages.get("/dashboard/about").document
    assert document.find_all(["script", "style", "iframe", "object"]) == []
    for tag in document.find_all(True):
        assert not [name for name in tag.attrs if name == "style" or name.startswith("on")]


def test_markup_in_values_is_text(client: Callable[..., PageClient]) -> None:
    pages = client(lambda _: view(_SCRIPT))
    response = pages.get("/dashboard/example")
    assert _SCRIPT in response.words
    assert response.document.find_all("script") == []
    assert "javascript:" not in [link.get("href") for link in response.document.find_all("a")]


def test_markup_in_arguments_and_paths_is_text(pages: PageClient) -> None:
    for response in (
        pages.get("/dashboard/about?" + urllib.parse.urlencode({_SCRIPT: _SCRIPT})),
        pages.get("/dashboard/<script>alert(1)</script>"),
        pages.get("/dashboard/about", project=_SCRIPT),
    ):
        assert response.document.find_all("script") == []


def refuse(_: object) -> View:
    raise Fault(403, "not for you")


def be_away(_: object) -> View:
    raise errors.TryLater("cannot connect to db.internal")


def be_slow(_: object) -> View:
    raise errors.TooSlow(60)


def fail(_: object) -> View:
    raise ZeroDivisionError("password=secret")


@pytest.mark.parametrize(
    ("handler", "status", "title", "words"),
    [
        (refuse, 403, "No permission", "Not for you."),
        (be_away, 503, "Not available at the moment", "The database does not answer"),
        (be_slow, 503, "This takes too long", "Choose fewer days"),
        (fail, 500, "Something failed", "the log names it req-"),
    ],
)
@pytest.mark.parametrize("patience", [60, 0])
def test_an_error_is_a_page(
    client: Callable[..., PageClient],
    handler: Callable[..., View],
    status: int,
    title: str,
    words: str,
    patience: float,
) -> None:
    finished = threading.Event()

    def late(call: PageCall[Arguments]) -> View:
        finished.wait(0.2)
        return handler(call)

    response = client(handler if patience else late, patience).get("/dashboard/example")
    # A page that has begun has its status already.
    assert response.status == (status if patience else 200)
    assert title in [heading.text for heading in response.content.find_all("h1")]
    assert words in response.words
    assert "secret" not in response.text
    assert "db.internal" not in response.text
    assert "Traceback" not in response.text


def test_pages_count_as_requests_of_their_project(tmp_path: pathlib.Path, url: str) -> None:
    pages = PageClient(tmp_path, url, "requests_per_minute = 2")
    statuses = [pages.get("/dashboard/about", project="p1").status for _ in range(3)]
    assert statuses == [200, 200, 429]
    response = pages.get("/dashboard/about", project="p1")
    assert int(response.headers["retry-after"]) > 0
    assert "Wait a minute" in response.words
    assert pages.get("/dashboard/about", project="p2").status == 200


def test_a_slow_page_begins_with_a_notice(client: Callable[..., PageClient]) -> None:
    asked = threading.Event()

    def late(_: object) -> View:
        asked.wait(0.5)
        return view("the content")

    response = client(late, patience=0).get("/dashboard/example")
    notice, content = response.content.find_all("div", recursive=False)
    assert "takes longer than usual" in notice.text
    assert content["class"] == ["late"]
    assert "the content" in content.text


@pytest.mark.parametrize("path", ["", "/about", "/static/style.css", "/settings", "/nothing"])
def test_head_is_answered_as_get(pages: PageClient, path: str) -> None:
    head, get = (pages.get(f"/dashboard{path}", verb=verb) for verb in ("HEAD", "GET"))
    assert (head.status, head.text) == (get.status, "")
    assert head.headers.keys() >= get.headers.keys() - {"set-cookie"}


def test_requests_of_other_hosts_get_a_page_that_says_why(pages: PageClient) -> None:
    pages.parts.conf.set_override("enable_proxy_headers_parsing", True, group="oslo_middleware")
    response = pages.get("/dashboard/about", headers={"X-Forwarded-For": "203.0.113.9"})
    assert response.status == 403
    assert response.document.nav is None
    assert "only requests of this host are answered" in response.words


def test_head_waits_for_the_page_and_has_no_body(client: Callable[..., PageClient]) -> None:
    pages = client(be_away, patience=0)
    response = pages.get("/dashboard/example", verb="HEAD")
    assert response.status == 503
    assert response.text == ""


def test_csv_is_exact_and_computes_nothing(client: Callable[..., PageClient]) -> None:
    rows = [("=cmd()", Decimal("0.1000000000000000000000001")), ("-x", Decimal(-1))]
    pages = client(lambda _: view("x", Table("costs", ["name", "cost"], rows)))
    assert pages.get("/dashboard/example", format="csv").csv == [
        ["name", "cost"],
        ["'=cmd()", "0.1000000000000000000000001"],
        ["'-x", "-1"],
    ]


def test_a_page_without_a_table_has_no_csv(client: Callable[..., PageClient]) -> None:
    assert client(lambda _: view("x")).get("/dashboard/example", format="csv").status == 404


def show_range(call: PageCall[PageRange]) -> View:
    begin, end = call.read_range()
    return view(f"{begin:%Y-%m-%dT%H:%M} {end:%Y-%m-%dT%H:%M}")


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (None, None, "2026-02-28T23:00 2026-03-31T22:00"),
        ("2026-03-29", "2026-03-30", "2026-03-28T23:00 2026-03-29T22:00"),
        ("2026-03-01T00:00:00Z", "2026-03-02T01:00:00+01:00", "2026-03-01T00:00 2026-03-02T00:00"),
    ],
)
def test_dates_are_of_the_readers_zone(
    tmp_path: pathlib.Path, url: str, begin: str | None, end: str | None, expected: str
) -> None:
    example = page(show_range, arguments=PageRange)  # type: ignore[arg-type]
    pages = PageClient(tmp_path, url, "dashboard_zone = Europe/Berlin", [example])
    assert expected in pages.get("/dashboard/example", begin=begin, end=end).words


@pytest.mark.parametrize(
    ("begin", "end"),
    [("2026-03-02", "2026-03-01"), ("2026-03-01", "2026-03-01"), ("2020-01-01", "2026-01-01"),
     ("yesterday", None), ("0001-01-01", None), ("9999-12-31", None)],
)  # fmt: skip
def test_a_wrong_range_is_explained(
    client: Callable[..., PageClient], begin: str, end: str | None
) -> None:
    pages = client(show_range, arguments=PageRange)
    response = pages.get("/dashboard/example", begin=begin, end=end)
    assert response.status == 400
    assert response.content.h1 is not None


def test_links_have_the_prefix_and_escaped_arguments(client: Callable[..., PageClient]) -> None:
    def show(call: PageCall[Arguments]) -> View:
        begin = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
        return view(call.link("/dashboard/x", begin=begin, scope=None, label=["a:b&c", "d"]))

    pages = client(show)
    pages.parts.conf.set_override("enable_proxy_headers_parsing", True, group="oslo_middleware")
    response = pages.get("/dashboard/example", headers={"X-Forwarded-Prefix": "/rating"})
    address = "/rating/dashboard/x?begin=2026-03-01T00%3A00%3A00Z&label=a%3Ab%26c&label=d"
    assert address in response.words
    stylesheet = response.document.select_one("link[rel=stylesheet]")
    assert stylesheet is not None
    assert str(stylesheet["href"]).startswith("/rating/dashboard/static/style.css?v=")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("costs", "begin"),
        ("costs", "end"),
        ("projects", "begin"),
        ("gaps", "end"),
        ("plan", "since"),
    ],
)
def test_a_wrong_date_is_named_as_its_field(cloud: PageClient, path: str, field: str) -> None:
    form_field = cloud.get(f"/dashboard/{path}").content.find("input", {"name": field})
    assert isinstance(form_field, bs4.Tag)
    label = form_field.find_parent("label")
    assert label is not None
    response = cloud.get(f"/dashboard/{path}", None, None, "GET", **{field: "yesterday"})
    assert response.status == 400
    assert (
        f"{label.get_text().strip()}: expected a date such as 2026-03-01, or a time such as "
        "2026-03-01T12:00:00Z, not 'yesterday'."
    ) in response.words
