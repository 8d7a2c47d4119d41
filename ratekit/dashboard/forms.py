"""Forms: where they may come from, and what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import falcon

from ratekit.api.faults import Fault
from ratekit.dashboard.session import Session

#: Name of the hidden field.
FIELD = "csrf"
_FOREIGN = (
    "the form was not sent by this page; if it was, the proxy before ratekit-api hides its own "
    "address: see [oslo_middleware] enable_proxy_headers_parsing"
)
_OLD = "the form is too old, or the browser refuses cookies; load the page again and repeat it"


class FileText(str):
    """The text of an uploaded file.

    :ivar filename: as its sender calls it: any text
    """

    filename: str

    def __new__(cls, text: str, filename: str) -> FileText:
        """Return the text with its name."""
        file = super().__new__(cls, text)
        file.filename = filename
        return file


class FormRefused(Fault):
    """A form is not, or no longer, one of ratekit's pages in this browser."""

    def __init__(self, text: str) -> None:
        super().__init__(403, text)


def read_form(request: falcon.Request, session: Session, limit: int) -> Mapping[str, Any]:
    """Return the fields of a form: texts, lists of texts, and files as texts; no empty ones.

    :param limit: most bytes
    :raises ratekit.api.faults.Fault: it comes from elsewhere, is too large, or is no form
    """
    _require_same_site(request)
    _require_small(request, limit)
    fields = _read_fields(request)
    if not session.accepts(str(fields.pop(FIELD, ""))):
        raise FormRefused(_OLD)
    return {name: value for name, value in fields.items() if value not in ("", [])}


def _require_same_site(request: falcon.Request) -> None:
    """Refuse what a page of another site has sent; browsers say so.

    Under TLS they say it in Sec-Fetch-Site, which no proxy can make wrong.
    """
    site = request.get_header("Sec-Fetch-Site")
    origin = request.get_header("Origin")
    if site is not None:
        is_local = site in ("same-origin", "none")
    elif origin is not None:
        is_local = origin.partition("://")[2].lower() == request.netloc.lower()
    else:
        is_local = True
    if not is_local:
        raise FormRefused(_FOREIGN)


def _require_small(request: falcon.Request, limit: int) -> None:
    length = request.content_length
    if length is None:
        raise Fault(411, "expected a Content-Length header")
    if length > limit:
        raise Fault(413, f"expected at most {limit:,} bytes, not {length:,}")


def _read_fields(request: falcon.Request) -> dict[str, Any]:
    kind = (request.content_type or "").partition(";")[0].strip().lower()
    if kind == falcon.MEDIA_URLENCODED:
        return dict(request.get_media(default_when_empty={}))
    if kind == falcon.MEDIA_MULTIPART:
        return dict(map(_read_part, request.get_media()))
    raise Fault(415, "expected a form")


def _read_part(part: Any) -> tuple[str, str]:
    """Return the name of a field and its text."""
    try:
        name, filename = part.name, part.filename
    except UnicodeDecodeError:
        raise Fault(400, "expected a form whose names are in UTF-8") from None
    if name is None:
        raise Fault(400, "expected a form whose fields have names")
    try:
        text = str(part.get_data().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Fault(400, f"{name}: expected text in UTF-8") from None
    return name, text if filename is None else FileText(text, filename)
