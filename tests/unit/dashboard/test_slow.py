"""Threads in which pages are read."""

from __future__ import annotations

import pathlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from oslo_context.context import RequestContext, get_current

from ratekit.api.arguments import Arguments
from ratekit.api.faults import Fault
from ratekit.dashboard import application
from ratekit.dashboard.page import Page, PageCall, Table, View
from ratekit.dashboard.slow import Readers
from tests.api_client import identify
from tests.page_client import Browser, PageClient


def test_a_result_and_an_error_come_from_another_thread() -> None:
    readers = Readers(2, patience=60)
    future = readers.start(threading.get_ident)
    assert readers.is_ready(future)
    assert future.result() != threading.get_ident()
    failure = readers.start(lambda: 1 // 0)
    assert readers.is_ready(failure)
    with pytest.raises(ZeroDivisionError):
        failure.result()


def test_lines_of_the_log_have_the_id_of_the_request() -> None:
    RequestContext(request_id="req-of-this-page")
    request = Readers(1, patience=60).start(get_current).result()
    assert request is not None
    assert request.request_id == "req-of-this-page"


def test_pages_that_nobody_waits_for_count_until_they_are_read() -> None:
    readers, answered = Readers(2, patience=0, queue=0), threading.Event()
    abandoned = [readers.start(answered.wait) for _ in range(2)]
    assert not any(map(readers.is_ready, abandoned))
    with pytest.raises(Fault) as caught:
        readers.start(answered.wait)
    assert caught.value.status == 503
    assert caught.value.headers["Retry-After"] == "10"
    answered.set()
    for future in abandoned:
        assert future.result()
    patient = Readers(1, patience=60, queue=60)
    assert [patient.start(lambda: 7).result() for _ in range(3)] == [7, 7, 7]


@pytest.mark.parametrize(("first", "second"), [("csv", None), (None, "csv"), ("csv", "csv")])
def test_a_table_is_read_by_one_of_the_readers(
    tmp_path: pathlib.Path, url: str, first: str | None, second: str | None
) -> None:
    started, answered = threading.Event(), threading.Event()

    def show(_: PageCall[Arguments]) -> View:
        started.set()
        answered.wait(30)
        return View({"period": "", "metrics": ()}, Table("example", ["number"], [[7]]))

    page = Page("/dashboard/example", show, None, "Example", "about.html")
    parts = PageClient(tmp_path, url, "threads = 1\n").parts
    browser = Browser(application.build(parts, [page], identify, patience=60, queue=0))
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(browser.get, page.path, format=first)
        assert started.wait(60)
        refused = browser.get(page.path, format=second)
        answered.set()
        assert reading.result().status == 200
    assert refused.status == 503
    assert refused.headers["retry-after"] == "10"
    assert "Too many pages are being read at present" in refused.words
    # The reader is free again.
    assert browser.get(page.path, format="csv").csv == [["number"], ["7"]]
