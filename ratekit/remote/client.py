"""Requests to an API, and what its errors mean to an operator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import requests
from keystoneauth1 import adapter, exceptions

from ratekit import errors
from ratekit.http_errors import summarize
from ratekit.redact import redact_urls

#: Seconds for which a response may say nothing.
_TIMEOUT = 300
#: What reading a response raises that another service has sent.
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)
_NO_KEYSTONE = "cannot log in to Keystone: the response is not Keystone's"
#: Bytes that are read at once.
_PART = 64 * 1024
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


@contextlib.contextmanager
def reading_answers() -> Iterator[None]:
    """Refuse answers that are not ratekit's, as a decorator of what reads them.

    :raises ratekit.errors.OperatorError: a part of an answer is missing or of another kind
    """
    try:
        yield
    except UNREADABLE as error:
        raise errors.OperatorError(
            f"the API's answer is not ratekit's ({error!r}); does another service have the type "
            "rating in the service catalogue?"
        ) from error


class PagesNeeded(errors.OperatorError):
    """An answer has too many rows; pages of it have not.

    :ivar limit: most rows of a page
    """

    def __init__(self, text: str, limit: int) -> None:
        self.limit = limit
        super().__init__(text)


class Client:
    """Sends requests.

    :param session: adds the address and a token
    """

    def __init__(self, session: adapter.Adapter) -> None:
        self._session = session

    def get(self, path: str, body: Mapping[str, object] | None = None, /, **query: object) -> Any:
        """Return the JSON value at a path; numbers with a point are Decimal.

        :param body: arguments that a query would change: the API splits it at commas
        :param query: a list repeats its key; None is left out
        :raises ratekit.errors.OperatorError: the API refuses the request
        :raises PagesNeeded: because of the length of its answer
        :raises ratekit.errors.TryLater: it does not answer
        """
        params = {key: value for key, value in query.items() if value is not None}
        return self._send("GET", path, params=params, **({"json": body} if body else {}))

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Return the answer to a JSON body, likewise."""
        return self._send("POST", path, json=body)

    @contextlib.contextmanager
    def stream(
        self, path: str, media: str, body: Mapping[str, object] | None = None, /, **query: object
    ) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """Return headers and parts of an answer that is no JSON.

        :param media: its media type
        :raises: as :meth:`get`; also while the parts are read, if the answer has no end
        """
        params = {key: value for key, value in query.items() if value is not None}
        content = {"params": params, **({"json": body} if body else {})}
        with self._request("GET", path, media, stream=True, **content) as response:
            if response.status_code >= 300 or not _is_of(response, media):
                _read(response)
                raise errors.OperatorError("the API answers with another media type")
            yield response.headers, _read_parts(response)

    def _send(self, verb: str, path: str, **content: Any) -> Any:
        return _read(self._request(verb, path, "application/json", **content))

    def _request(self, verb: str, path: str, media: str, **content: Any) -> requests.Response:
        self._log_in()
        try:
            response: requests.Response = self._session.request(
                path,
                verb,
                raise_exc=False,
                timeout=_TIMEOUT,
                headers={"Accept": media},
                **content,
            )
        except (exceptions.EndpointNotFound, exceptions.CatalogException) as error:
            raise errors.AccessDenied(
                f"the service catalogue has no endpoint of type rating: {summarize(error)}"
            ) from None
        except exceptions.ClientException as error:
            raise errors.TryLater(f"the API does not answer: {summarize(error)}") from None
        except UNREADABLE:
            # Of the log-in, which is read in part only now.
            raise errors.TryLater(_NO_KEYSTONE) from None
        return response

    def _log_in(self) -> None:
        """Get a token, unless there is one."""
        try:
            self._session.get_token()
        except (exceptions.Unauthorized, exceptions.MissingAuthPlugin) as error:
            raise errors.AccessDenied(
                f"Keystone refuses the credentials: {summarize(error)}"
            ) from None
        except exceptions.HTTPClientError as error:
            # Such as a token that has expired, or a user who is locked.
            raise errors.AccessDenied(f"cannot log in to Keystone: {summarize(error)}") from None
        except exceptions.ClientException as error:
            raise errors.TryLater(f"cannot log in to Keystone: {summarize(error)}") from None
        except UNREADABLE:
            raise errors.TryLater(_NO_KEYSTONE) from None


def _read_parts(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(_PART)
    except requests.RequestException:
        raise errors.TryLater("the API's answer ends in the middle") from None


def _is_of(response: requests.Response, media: str) -> bool:
    return response.headers.get("Content-Type", "").partition(";")[0].strip() == media


def _read(response: requests.Response) -> Any:
    """Return a response's JSON value.

    :raises: as :meth:`Client.get`
    """
    try:
        body = _DECODER.decode(response.content) if response.content else None
    except msgspec.DecodeError:
        body = None
    if response.status_code < 300 and body is not None:
        return body
    address = redact_urls(response.url.partition("?")[0])
    text = f"the API at {address} answers {response.status_code}: {_message(body)}"
    if response.status_code in {401, 403}:
        raise errors.AccessDenied(text)
    if response.status_code == 404:
        raise errors.NotFound(text)
    if (limit := response.headers.get("X-Max-Rows", "")).isdecimal() and int(limit) > 0:
        raise PagesNeeded(text, int(limit))
    if 400 <= response.status_code < 500:
        raise errors.OperatorError(text)
    raise errors.TryLater(text)


def _message(body: Any) -> str:
    """Return what an error's body says, in any dialect."""
    match body:
        case (
            {"message": str(text)} | {"faultstring": str(text)} | {"error": {"message": str(text)}}
        ):
            return text
        case _:
            return "no explanation; is it ratekit's API?"
