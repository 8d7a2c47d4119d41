"""Forms: only those of ratekit's own pages, and of the session that they were shown in."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping

import pytest

from ratekit.api.arguments import Arguments, Text
from ratekit.dashboard.page import Page, PageCall, View
from ratekit.storage import migrate
from tests.databases import new_database
from tests.page_client import PageClient, encode_form

PATH = "/dashboard/example"
MULTIPART = "multipart/form-data; boundary=x"


class Upload(Arguments):
    """A form."""

    name: Text | None = None
    rules: str | None = None


def show(call: PageCall[Upload]) -> View:
    given = call.arguments
    message = f"name={given.name!r} rules={given.rules!r}"
    return View({"title": "Example", "message": message, "advice": "", "settings_link": ""})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageClient]:
    folder = tmp_path_factory.mktemp("forms")
    example = Page(PATH, show, None, "Example", "error.html", Upload, accepts_form=True)
    with new_database("sqlite", folder) as url:
        migrate.upgrade(url)
        yield PageClient(folder, url, pages=[example])


@pytest.fixture
def pages(site: PageClient) -> PageClient:
    """Return a browser that has been nowhere."""
    site.cookies.clear()
    return site


def token(pages: PageClient) -> str:
    value = pages.get("/dashboard/settings").field("csrf")
    assert value is not None
    return value


def test_a_form_reaches_its_page(pages: PageClient) -> None:
    response = pages.post(PATH, {"name": "a & b", "rules": ""}, csrf=token(pages))
    assert response.status == 200
    assert "name='a & b' rules=None" in response.words


def test_an_uploaded_file_is_text(pages: PageClient) -> None:
    content = "\ufeffservices:\n- name: ü\n".encode()
    fields: Mapping[str, str | tuple[str, bytes]] = {"name": "x", "rules": ("r.yml", content)}
    response = pages.post(PATH, fields, csrf=token(pages))
    assert response.status == 200
    assert "name='x' rules='services:\\n- name: ü\\n'" in response.words


def test_a_file_that_is_no_text_is_refused(pages: PageClient) -> None:
    response = pages.post(PATH, {"rules": ("r.yml", b"\xff\xfe")}, csrf=token(pages))
    assert response.status == 400
    assert "Rules: expected text in UTF-8." in response.words


@pytest.mark.parametrize("forged", ["", "x", "x.y", ".", "ü.ü", "a" * 5000])
def test_a_form_without_the_token_of_its_session_is_refused(pages: PageClient, forged: str) -> None:
    token(pages)
    response = pages.post(PATH, {}, csrf=forged)
    assert response.status == 403
    assert response.words.startswith("The form was not accepted")


def test_a_form_of_another_session_is_refused(pages: PageClient) -> None:
    stolen = token(pages)
    pages.cookies.clear()
    token(pages)
    assert pages.post(PATH, {}, csrf=stolen).status == 403


def test_without_the_cookie_no_form_is_accepted(pages: PageClient) -> None:
    value = token(pages)
    pages.cookies.clear()
    assert pages.post(PATH, {}, csrf=value).status == 403
    # Browsers send no cookie with another site's form: a new one would replace the reader's.
    assert pages.cookies == {}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://falconframework.org"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://falconframework.org.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://falconframework.org"}, 403),
        # A proxy that does not tell its address; under TLS the browser is heard.
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://rating.example"}, 200),
    ],
)
def test_a_form_of_another_site_is_refused(
    pages: PageClient, headers: Mapping[str, str], status: int
) -> None:
    assert pages.post(PATH, {}, headers=headers, csrf=token(pages)).status == status


def test_a_page_without_a_form_takes_none(tmp_path: pathlib.Path, url: str) -> None:
    pages = PageClient(tmp_path, url)
    response = pages.post("/dashboard/about", {}, csrf=token(pages))
    assert response.status == 405


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("", b"csrf=x", 415),
        ("multipart/form-data; boundary=x", b"--y", 400),
        ("multipart/form-data", b"--x", 400),
        ("application/x-www-form-urlencoded", b"csrf=%ff%00", 403),
        (MULTIPART, b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n", 400),
        (
            MULTIPART,
            b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\na\r\n--x--\r\n',
            400,
        ),
        (
            MULTIPART,
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="\xff"\r\n\r\na'
            b"\r\n--x--\r\n",
            400,
        ),
    ],
)
def test_a_body_that_is_no_form_is_refused(
    pages: PageClient, kind: str, body: bytes, status: int
) -> None:
    token(pages)
    assert pages.send("POST", PATH, body, {"Content-Type": kind}).status == status


def test_a_form_that_is_too_large_is_not_read(tmp_path: pathlib.Path, url: str) -> None:
    pages = PageClient(tmp_path, url, "max_body = 2048")
    body, kind = encode_form({"csrf": token(pages), "zone": "x" * 3000})
    response = pages.send("POST", "/dashboard/zone", body, {"Content-Type": kind})
    assert response.status == 413


def test_a_reader_without_log_in_may_upload_as_much_as_others(pages: PageClient) -> None:
    rules = "x" * 100_000
    response = pages.post(PATH, {"rules": ("rules.yml", rules.encode())}, csrf=token(pages))
    assert response.status == 200
    assert rules in response.text


def test_the_chosen_zone_stays(pages: PageClient) -> None:
    response = pages.post(
        "/dashboard/zone", {"zone": "Asia/Kolkata", "next": PATH}, csrf=token(pages)
    )
    assert response.status == 303
    assert response.headers["location"] == PATH
    assert "Asia/Kolkata" in str(pages.get(PATH).document.header)
    (chosen,) = pages.get("/dashboard/settings").document.select("option[selected]")
    assert chosen.text == "Asia/Kolkata"


def test_the_choice_of_the_zone_leads_back_from_itself_too(pages: PageClient) -> None:
    choice = pages.get(PATH).document.select_one("header .person a")
    assert choice is not None
    assert pages.get(str(choice["href"])).document.select_one("header .person a") == choice


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "\0", "<script>"])
def test_a_zone_that_does_not_exist_is_refused(pages: PageClient, zone: str) -> None:
    response = pages.post("/dashboard/zone", {"zone": zone}, csrf=token(pages))
    assert response.status == 400
    assert response.document.find_all("script") == []


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "/%2Fevil.example",
        "/dashboard\\@evil.example", "/dashboard//evil.example", "/dashboard/../../evil",
        "/dashboard/x\r\nSet-Cookie: a=b", "/dashboard/x\n", "/dashboard/%0d%0aX: y",
        "/dashboardx", "/v1", "javascript:alert(1)", "/dashboard/x#<script>", "dashboard",
        "/dashboard/" + "x" * 3000, "\t/dashboard", " //evil.example", "/dashboard/ü",
    ],
)  # fmt: skip
def test_a_form_leads_nowhere_else(pages: PageClient, place: str) -> None:
    fields = {"zone": "UTC", "next": place}
    response = pages.post("/dashboard/zone", fields, csrf=token(pages))
    assert response.status == 303
    assert response.headers["location"] == "/dashboard"


def test_a_form_leads_back_with_arguments(pages: PageClient) -> None:
    place = "/dashboard/costs?begin=2026-03-01T00%3A00%3A00Z&label=a%3Ab+c"
    fields = {"zone": "UTC", "next": place}
    response = pages.post("/dashboard/zone", fields, csrf=token(pages))
    assert response.headers["location"] == place
