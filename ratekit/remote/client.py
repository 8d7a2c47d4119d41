"""Requests to an API, and what its errors mean to an operator."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import requests
from keystoneauth1 import adapter, exceptions

from ratekit import errors
from ratekit.redact import redact_urls

#: Seconds for which a response may say nothing.
_TIMEOUT = 300
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


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

    def _send(self, verb: str, path: str, **content: Any) -> Any:
        try:
            response = self._session.request(
                path,
                verb,
                raise_exc=False,
                timeout=_TIMEOUT,
                headers={"Accept": "application/json"},
                **content,
            )
        except (exceptions.Unauthorized, exceptions.MissingAuthPlugin) as error:
            raise errors.AccessDenied(f"Keystone refuses the credentials: {_line(error)}") from None
        except (exceptions.EndpointNotFound, exceptions.CatalogException) as error:
            raise errors.AccessDenied(
                f"the service catalogue has no endpoint of type rating: {_line(error)}"
            ) from None
        except exceptions.ClientException as error:
            raise errors.TryLater(f"the API does not answer: {_line(error)}") from None
        return _read(response)


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
    text = f"the API at {redact_urls(response.url.partition('?')[0])} answers "
    text += f"{response.status_code}: {_message(body)}"
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


def _line(error: Exception) -> str:
    return " ".join(redact_urls(str(error)).split())
