"""Requests to Gnocchi's REST API, and what its error responses mean."""

from __future__ import annotations

import contextlib
import html
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import requests
from gnocchiclient import client as gnocchi_client
from gnocchiclient import exceptions

from ratekit import errors, http_clock, http_errors, http_limits, keystone
from ratekit.collectors.gnocchi.options import GROUP
from ratekit.domain import decimal_limits
from ratekit.domain.schedule.clocks import ClockReading

#: Rows of one page of a listing: Gnocchi's default maximum.
PAGE = 1000
#: Error responses that mean "no usage": the metric is unknown, no resource has it, or it has no
#: measures yet.
_SILENCE = re.compile(r"Metric .*does not exist")
_NO_SUCH_TYPE = re.compile(r"Resource type .*(does not exist|not found)", re.IGNORECASE)
#: An archive policy lacks what the query needs; Gnocchi then refuses the whole request.
_AGGREGATE_MISSING = re.compile(
    r"Metrics cannot be aggregated: Granularities are missing|Metrics with unknown aggregation"
)
#: Metrics were deleted between their listing and a request by id.
_DELETED = re.compile(r"Unknown metrics")
#: Codes below 500 of requests that may succeed later, or with less data.
_OVERLOADED = {408, 409, 413, 414, 423, 425, 429}


class AggregateMissing(errors.OperatorError):
    """An archive policy lacks the granularity or the aggregation method of a query."""


class Transport:
    """Sends requests and reads responses.

    :param api: session and endpoint; only gnocchiclient's adapter is used, because its
        wrappers take longer than the requests
    """

    def __init__(self, api: gnocchi_client.SessionClient) -> None:
        self._api = api
        self._largest_response = 0

    def ask(
        self, method: str, url: str, read: Callable[[bytes], Any] | None = None, **request: Any
    ) -> Any:
        """Return the parsed response, numbers as Decimal; None means that there is no usage.

        :param read: reads the body; None: :func:`parse`
        :raises ratekit.errors.TryLater: no response, or one that cannot be parsed
        :raises ratekit.errors.OperatorError: Gnocchi refused the request
        """
        return self.page(method, url, read, **request)[0]

    def page(
        self, method: str, url: str, read: Callable[[bytes], Any] | None = None, **request: Any
    ) -> tuple[Any, str | None]:
        """Return the same and the marker of the next page, if there is one.

        The length of a page depends on Gnocchi's configuration, so only Gnocchi knows it.
        """
        body = request.pop("body", None)
        headers = {"Accept": "application/json"}
        if body is not None:
            request["data"] = json.dumps(body)
            headers["Content-Type"] = "application/json"
        response = self._send(method, url, headers, request)
        if response.status_code >= 400:
            _raise_unless_silence(response)
            return None, None
        self._largest_response = max(self._largest_response, len(response.content))
        content = (read or parse)(response.content)
        if content is None:
            # None means that there is no usage, which only an error response can say.
            raise errors.InvalidResponse("Gnocchi's response is null")
        return content, _marker(response)

    def pages(
        self,
        method: str,
        url: str,
        parameters: Mapping[str, Any],
        limit: int = PAGE,
        body: Any = None,
    ) -> Iterator[tuple[list[Any], bool]]:
        """Yield a listing's pages: (rows, whether there are more).

        :param parameters: without those that select the page
        """
        page_parameters = {**parameters, "limit": limit}
        while True:
            rows, marker = self.page(method, url, params=page_parameters, body=body)
            if not isinstance(rows, list):
                raise errors.InvalidResponse("cannot parse Gnocchi's listing: it is not a list")
            yield rows, marker is not None
            if marker is None:
                return
            if page_parameters.get("marker") == marker:
                raise errors.InvalidResponse("Gnocchi's link to the next page repeats the last one")
            page_parameters["marker"] = marker

    def revisions(
        self, resource_type: str, search: Mapping[str, Any], attributes: Sequence[str]
    ) -> Iterator[Any]:
        """Yield the revisions of resources that match ``search``, past revisions too."""
        parameters = {"history": "true", "attrs": list(attributes)}
        url = f"v1/search/resource/{resource_type}"
        for rows, _ in self.pages("POST", url, parameters, body=search):
            yield from rows

    def take_response_share(self) -> float:
        """Return the largest response since the last call, as a share of what is allowed."""
        size, self._largest_response = self._largest_response, 0
        return size / http_limits.MAX_BYTES

    def read_clock(self) -> ClockReading | None:
        """Ask for the API's versions, and compare the date of the response, whatever it is.

        :raises: as :meth:`ask`
        """
        return http_clock.read("Gnocchi", lambda: self._send("GET", "/", {}, {}))

    def _send(
        self, method: str, url: str, headers: dict[str, str], request: dict[str, Any]
    ) -> requests.Response:
        try:
            with keystone.translate_errors("Keystone (for Gnocchi)"):
                response: requests.Response = self._api.request(
                    url, method, raise_exc=False, headers=headers, **request
                )
        except exceptions.ConnectionTimeout as error:
            raise errors.TryLater(
                f"Gnocchi took too long: {http_errors.summarize(error)}"
            ) from error
        except (exceptions.ConnectionFailure, exceptions.UnknownConnectionError) as error:
            raise errors.TryLater(
                f"Gnocchi does not answer: {http_errors.summarize(error)}"
            ) from error
        except exceptions.SSLError as error:
            raise errors.AccessDenied(
                f"Gnocchi: TLS verification failed: {http_errors.summarize(error)}; check cafile "
                f"and insecure in [{GROUP}]"
            ) from error
        return response


@contextlib.contextmanager
def parsing(content: str) -> Iterator[None]:
    """Turn errors of the code inside, which reads a response, into an error of Gnocchi.

    :param content: what the response is about
    :raises ratekit.errors.InvalidResponse: the response has not the expected form
    """
    try:
        yield
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
        reason = f"missing key {error}" if isinstance(error, KeyError) else str(error)
        raise errors.InvalidResponse(
            f"cannot parse Gnocchi's {content} response: {reason}"
        ) from error


def _marker(response: requests.Response) -> str | None:
    link = response.links.get("next")
    if link is None:
        return None
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(link["url"]).query)
    if "marker" not in query:
        raise errors.InvalidResponse("Gnocchi's link to the next page has no marker")
    return query["marker"][0]


def parse(content: bytes) -> Any:
    """Return JSON as Python's values, numbers as Decimal.

    :raises ratekit.errors.InvalidResponse: it is not JSON, or has too large a number
    """
    try:
        return _load(content, decimal_limits.CONTEXT.create_decimal)
    except ArithmeticError:
        place = next(_find_too_large(_load(content, _mark)), "")
    raise errors.InvalidResponse(
        f"Gnocchi's response has too large a number: expected {decimal_limits.EXPECTED}; it is "
        f"at {place}"
    )


def _load(content: bytes, read: Callable[[str], Any]) -> Any:
    """Return JSON as Python's values, numbers as ``read`` returns them."""
    try:
        return json.loads(content, parse_float=read, parse_int=read, parse_constant=_refuse)
    except ValueError as error:
        raise errors.InvalidResponse(f"Gnocchi's response is not JSON: {error}") from error
    except RecursionError:
        raise errors.InvalidResponse("Gnocchi's response is nested too deeply") from None


def _mark(text: str) -> Any:
    """Return a number's class in place of a number that is too large."""
    try:
        return decimal_limits.CONTEXT.create_decimal(text)
    except ArithmeticError:
        return Decimal


def _find_too_large(content: Any, place: str = "") -> Iterator[str]:
    """Yield the places of numbers that are too large; a group is named by its labels."""
    if content is Decimal:
        yield place
    items = enumerate(content) if isinstance(content, list) else ()
    for key, part in content.items() if isinstance(content, dict) else items:
        name = part["group"] if isinstance(part, dict) and "group" in part else key
        yield from _find_too_large(part, f"{place}/{name}")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number")


def _raise_unless_silence(response: requests.Response) -> None:
    """Return if an error response means that there is no usage; raise for any other."""
    code = response.status_code
    text = _description(response)
    if code == 404 and _SILENCE.search(text):
        return
    if code in (400, 404) and _NO_SUCH_TYPE.search(text):
        return
    if code in (401, 403):
        raise errors.AccessDenied(f"Gnocchi refused with {code}: {text}")
    if code in _OVERLOADED or code >= 500:
        seconds = http_errors.retry_after(response.headers)
        raise errors.TryLater(f"Gnocchi answered {code}: {text}", seconds)
    if code == 404 and _DELETED.match(text):
        raise errors.TryLater(f"Gnocchi's metrics changed meanwhile: {text}")
    is_policy = code in (400, 404) and _AGGREGATE_MISSING.match(text)
    kind = AggregateMissing if is_policy else errors.OperatorError
    raise kind(f"Gnocchi refused with {code}: {text}")


def _description(response: requests.Response) -> str:
    """Return the text of an error response as one line; Gnocchi writes JSON, proxies HTML."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = response.content.decode(errors="replace")
    if isinstance(body, dict) and "description" in body:
        body = body["description"]
    if isinstance(body, dict):
        parts = (body.get(key) for key in ("cause", "reason", "detail"))
        body = ": ".join(str(part) for part in parts if part) or json.dumps(body)
    text = body if isinstance(body, str) else json.dumps(body)
    if text.lstrip().startswith("<"):
        text = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return " ".join(text.split())[:500]
