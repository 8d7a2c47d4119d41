"""Requests to Gnocchi's REST API, and what its refusals mean."""

from __future__ import annotations

import contextlib
import html
import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import requests
from gnocchiclient import client as gnocchi_client
from gnocchiclient import exceptions

from ratekit import errors, http_errors, keystone

#: Rows of one page of a listing; Gnocchi's own largest unless it is configured.
PAGE = 1000
#: Answers that mean "there is nothing": an unknown metric, no resource that has it, no
#: measures yet.
_SILENCE = re.compile(r"Metric .*does not exist")
_NO_SUCH_TYPE = re.compile(r"Resource type .*(does not exist|not found)", re.IGNORECASE)
#: A metric whose archive policy has not what was asked for; the request fails as a whole.
_LACKING = re.compile(
    r"Metrics cannot be aggregated: Granularities are missing|Metrics with unknown aggregation"
)
#: Metrics asked for by id that were there a moment ago.
_GONE = re.compile(r"Unknown metrics")
#: Codes below 500 that may go away when less is asked, or later.
_OVERLOADED = {408, 409, 413, 414, 423, 425, 429}


class AggregateMissing(errors.OperatorError):
    """An archive policy lacks the granularity or the aggregation method that was asked for."""


class Transport:
    """Sends requests and reads answers.

    :param api: session and endpoint; gnocchiclient's adapter, whose wrappers for the calls
        themselves cost more than the calls
    """

    def __init__(self, api: gnocchi_client.SessionClient) -> None:
        self._api = api

    def ask(self, method: str, url: str, **request: Any) -> Any:
        """Return the parsed answer, numbers as Decimal; None for silence.

        :raises ratekit.errors.TryLater: no answer for now, or one that makes no sense
        :raises ratekit.errors.OperatorError: Gnocchi refuses
        """
        return self.page(method, url, **request)[0]

    def page(self, method: str, url: str, **request: Any) -> tuple[Any, str | None]:
        """Return the same, and the marker from which the next page is asked for, if there is one.

        How long a page is depends on Gnocchi's configuration, so only Gnocchi can tell.
        """
        body = request.pop("body", None)
        headers = {"Accept": "application/json"}
        if body is not None:
            request["data"] = json.dumps(body)
            headers["Content-Type"] = "application/json"
        response = self._send(method, url, headers, request)
        if response.status_code >= 400:
            _explain(response)
            return None, None
        try:
            answer = json.loads(
                response.content, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse
            )
        except ValueError as error:
            raise errors.InvalidResponse(f"Gnocchi's answer is not JSON: {error}") from error
        if answer is None:
            # None is silence, which only a refusal can mean.
            raise errors.InvalidResponse("Gnocchi's answer is null")
        return answer, _marker(response)

    def pages(
        self, method: str, url: str, known: Mapping[str, Any], limit: int = PAGE, body: Any = None
    ) -> Iterator[tuple[list[Any], bool]]:
        """Yield a listing's pages: (rows, whether there are more).

        :param known: parameters besides those that say which page
        """
        parameters = {**known, "limit": limit}
        while True:
            rows, marker = self.page(method, url, params=parameters, body=body)
            if not isinstance(rows, list):
                raise errors.InvalidResponse("Gnocchi's listing is not a list")
            yield rows, marker is not None
            if marker is None:
                return
            parameters["marker"] = marker

    def revisions(
        self, resource_type: str, search: Mapping[str, Any], attributes: Sequence[str]
    ) -> Iterator[Any]:
        """Yield revisions of resources, past ones too, of which ``search`` holds."""
        known = {"history": "true", "attrs": list(attributes)}
        url = f"v1/search/resource/{resource_type}"
        for rows, _ in self.pages("POST", url, known, body=search):
            yield from rows

    def _send(
        self, method: str, url: str, headers: dict[str, str], request: dict[str, Any]
    ) -> requests.Response:
        try:
            with keystone.translate_errors("Keystone, asked for Gnocchi,"):
                response: requests.Response = self._api.request(
                    url, method, raise_exc=False, headers=headers, **request
                )
        except exceptions.ConnectionTimeout as error:
            raise errors.TryLater(
                f"Gnocchi took too long: {http_errors.one_line(error)}"
            ) from error
        except (exceptions.ConnectionFailure, exceptions.UnknownConnectionError) as error:
            raise errors.TryLater(
                f"Gnocchi does not answer: {http_errors.one_line(error)}"
            ) from error
        except exceptions.SSLError as error:
            raise errors.AccessDenied(f"Gnocchi: {http_errors.one_line(error)}") from error
        return response


@contextlib.contextmanager
def sensible(what: str) -> Iterator[None]:
    """Say whose fault it is when an answer cannot be read.

    :raises ratekit.errors.Senseless: for what goes wrong inside
    """
    try:
        yield
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
        raise errors.InvalidResponse(f"Gnocchi's {what} are senseless: {error!r}") from error


def _marker(response: requests.Response) -> str | None:
    following = response.links.get("next")
    if following is None:
        return None
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(following["url"]).query)
    if "marker" not in query:
        raise errors.InvalidResponse("Gnocchi's next page has no marker")
    return query["marker"][0]


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _explain(response: requests.Response) -> None:
    """Return for silence, raise for anything else."""
    code = response.status_code
    text = _description(response)
    if code == 404 and _SILENCE.search(text):
        return
    if code in (400, 404) and _NO_SUCH_TYPE.search(text):
        return
    if code in (401, 403):
        raise errors.AccessDenied(f"Gnocchi refused with {code}: {text}")
    if code in _OVERLOADED or code >= 500:
        after = http_errors.retry_after(response.headers)
        raise errors.TryLater(f"Gnocchi answered {code}: {text}", after)
    if code == 404 and _GONE.match(text):
        raise errors.TryLater(f"Gnocchi's metrics have just changed: {text}")
    kind = AggregateMissing if code in (400, 404) and _LACKING.match(text) else errors.OperatorError
    raise kind(f"Gnocchi refused with {code}: {text}")


def _description(response: requests.Response) -> str:
    """What a refusal says, on one line; Gnocchi answers in JSON, proxies in HTML."""
    try:
        body = response.json()
    except ValueError:
        body = response.text
    if isinstance(body, dict) and "description" in body:
        body = body["description"]
    if isinstance(body, dict):
        known = (body.get(key) for key in ("cause", "reason", "detail"))
        body = ": ".join(str(one) for one in known if one) or json.dumps(body)
    text = body if isinstance(body, str) else json.dumps(body)
    if text.lstrip().startswith("<"):
        text = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return " ".join(text.split())[:500]
