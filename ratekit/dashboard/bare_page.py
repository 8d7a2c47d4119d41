"""Errors where the pages' application does not answer: it is not built yet, or never asked."""

from __future__ import annotations

import http
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import falcon

import ratekit
from ratekit.api.faults import Fault
from ratekit.dashboard import problem
from ratekit.dashboard.frame import Frame
from ratekit.dashboard.headers import protect
from ratekit.html.formats import Formats

_HTML = ("Content-Type", f"{falcon.MEDIA_HTML}")


def render(fault: Fault, root: str = "") -> tuple[Sequence[tuple[str, str]], bytes]:
    """Return the headers and the HTML of an error, without a menu.

    :param root: what stands before ``/dashboard`` in addresses
    """
    trouble = problem.explain(fault, "")
    formats = Formats()
    head, foot = Frame(trouble.title, root, ratekit.__version__).split(formats)
    body = f"{head}{trouble.render(formats, settings_link='')}{foot}".encode()
    return protect([_HTML, *fault.headers.items()]), body


def write_fault(environ: Mapping[str, Any], start_response: Any, fault: Fault) -> Iterable[bytes]:
    """Answer a request with an error."""
    headers, body = render(fault, str(environ.get("SCRIPT_NAME", "")))
    status = f"{fault.status} {http.HTTPStatus(fault.status).phrase}"
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]
