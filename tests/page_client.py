"""A client of the pages in this process, over a real database.

It reads as the API's client does: without a project everybody is an administrator.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import bs4
import requests
from falcon import testing

from ratekit.api.authentication import Wsgi
from ratekit.dashboard import application, routes
from ratekit.dashboard.page import Page
from tests.api_client import PROJECT, Client, identify

#: Seconds; no page of a test is shown without its content, unless the test says so.
PATIENCE = 60.0


class PageResponse(NamedTuple):
    """What a page answered.

    :ivar document: the parsed HTML
    """

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def document(self) -> bs4.BeautifulSoup:
        document = bs4.BeautifulSoup(self.text, "html.parser")
        # They only say where lines end.
        for tag in document.select("wbr, span.whole"):
            tag.unwrap()
        document.smooth()
        return document

    @property
    def content(self) -> bs4.Tag:
        """What is in the frame."""
        main = self.document.find("main")
        assert isinstance(main, bs4.Tag), self.text
        return main

    @property
    def words(self) -> str:
        """The text of the content, in one line."""
        return " ".join(self.content.get_text(" ").split())

    @property
    def rows(self) -> Sequence[Sequence[str]]:
        """The texts of all table cells, by rows."""
        return [
            [" ".join(cell.get_text(" ").split()) for cell in row.find_all(["th", "td"])]
            for row in self.content.find_all("tr")
        ]

    @property
    def links(self) -> Mapping[str, str]:
        """The address of each link in the content, by its text."""
        return {
            " ".join(link.get_text(" ").split()): str(link["href"])
            for link in self.content.find_all("a", href=True)
        }

    def field(self, name: str) -> str | None:
        """Return the value of a form's field, anywhere on the page; None: there is none."""
        tag = self.document.find("input", {"name": name})
        return str(tag["value"]) if isinstance(tag, bs4.Tag) else None

    @property
    def csv(self) -> Sequence[Sequence[str]]:
        """The lines of a CSV."""
        return list(csv.reader(io.StringIO(self.text)))


class Browser:
    """Asks for pages, and keeps cookies.

    :param wsgi: the pages
    """

    def __init__(self, wsgi: Wsgi) -> None:
        self.cookies: dict[str, str] = {}
        self._connect(wsgi)

    def _connect(self, wsgi: Wsgi) -> None:
        # Falcon looks at the signature, which oslo.middleware hides, and names no client's address.
        self._client = testing.TestClient(
            lambda environ, start: wsgi({"REMOTE_ADDR": "127.0.0.1", **environ}, start)
        )

    def get(
        self,
        path: str,
        project: str | None = None,
        headers: Mapping[str, str] | None = None,
        verb: str = "GET",
        **query: object,
    ) -> PageResponse:
        """Ask for a page.

        :param path: may have a query, as links do; then ``query`` must be empty
        :param project: ask as a member of it; empty: of none; None: as an administrator
        """
        path, _, query_string = path.partition("?")
        result = self._client.simulate_request(
            verb,
            path,
            params={key: value for key, value in query.items() if value is not None} or None,
            query_string=query_string or None,
            params_csv=False,
            headers={**(headers or {}), **({} if project is None else {PROJECT: project})},
            cookies=self.cookies or None,
        )
        return self._read(result)

    def post(
        self,
        path: str,
        fields: Mapping[str, str | tuple[str, bytes]],
        project: str | None = None,
        headers: Mapping[str, str] | None = None,
        csrf: str | None = None,
    ) -> PageResponse:
        """Send a form, after the page has been asked for it.

        :param fields: texts; a file is its name and content, and makes the form multipart
        :param csrf: in place of what the page says
        """
        if csrf is None:
            csrf = str(self.get(path, project).field("csrf"))
        body, kind = encode_form({"csrf": csrf, **fields})
        sender = {} if project is None else {PROJECT: project}
        return self.send("POST", path, body, {"Content-Type": kind, **sender, **(headers or {})})

    def send(self, verb: str, path: str, body: bytes, headers: Mapping[str, str]) -> PageResponse:
        """Send any request."""
        return self._read(
            self._client.simulate_request(
                verb, path, body=body, headers=headers, cookies=self.cookies or None
            )
        )

    def _read(self, result: testing.Result) -> PageResponse:
        """Keep cookies as a browser does."""
        for name, cookie in result.cookies.items():
            self.cookies[name] = cookie.value
        return PageResponse(result.status_code, result.headers, result.text)


class PageClient(Browser):
    """A browser of pages that need no log-in.

    :param folder: for the configuration
    :param url: of a database at the newest revision
    :param extra: options of [api], and more sections
    :param pages: default: all of them
    :param patience: seconds until a page is shown without its content
    :ivar api: a client of the API over the same database
    """

    def __init__(
        self,
        folder: pathlib.Path,
        url: str,
        extra: str = "",
        pages: Sequence[Page] = routes.PAGES,
        patience: float = PATIENCE,
    ) -> None:
        self.api = Client(folder, url, f"dashboard = true\n{extra}")
        self.parts = self.api.parts
        self._pages = pages
        self._patience = patience
        super().__init__(self._build())

    def _build(self) -> Wsgi:
        return application.build(self.parts, self._pages, identify, self._patience)

    def replace(self, **changes: Any) -> None:
        """Work with other parts: a clock, limits, a storage."""
        self.parts = dataclasses.replace(self.parts, **changes)
        self._connect(self._build())


def encode_form(fields: Mapping[str, str | tuple[str, bytes]]) -> tuple[bytes, str]:
    """Return a form's body and its type: multipart if there is a file."""
    if not any(isinstance(value, tuple) for value in fields.values()):
        return urllib.parse.urlencode(dict(fields)).encode(), "application/x-www-form-urlencoded"
    parts = {
        name: value if isinstance(value, tuple) else (None, value.encode())
        for name, value in fields.items()
    }
    prepared = requests.Request("POST", "http://localhost", files=parts).prepare()
    assert isinstance(prepared.body, bytes)
    return prepared.body, prepared.headers["Content-Type"]
