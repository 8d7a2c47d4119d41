"""Bodies of HTTP responses within limits: a server that went mad must not take all memory."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from typing import Any

import requests
from keystoneauth1 import session

from ratekit import errors
from ratekit.redact import redact_urls

#: Decompressed. Parsed, a response takes about eight times as much memory; Gnocchi's with 400,000
#: points is shorter.
MAX_BYTES = 32 << 20
#: Of an error response, whose text messages repeat in part; the rest is not read.
MAX_ERROR_BYTES = 64 << 10
# One layer of compression only: two multiply a thousand by a thousand.
_ENCODINGS = {"", "identity", "gzip", "x-gzip", "deflate"}


class LimitedAdapter(session.TCPKeepAliveAdapter):
    """Sends requests, and reads at most :data:`MAX_BYTES` of each response.

    A response that is larger raises ratekit.errors.TryLater.
    """

    def send(
        self, request: requests.PreparedRequest, *arguments: Any, **options: Any
    ) -> requests.Response:
        """Send a request; the body of its response is still to be read.

        :raises ratekit.errors.InvalidResponse: the response is compressed as nobody asked for
        """
        if request.headers.get("Accept-Encoding"):
            request.headers["Accept-Encoding"] = "gzip, deflate"
        response = super().send(request, *arguments, **options)
        source = _origin(request.url or "")
        encoding = response.headers.get("Content-Encoding", "").lower()
        if encoding not in _ENCODINGS:
            response.close()
            raise errors.InvalidResponse(
                f"{source} compressed its response with {encoding!r:.40}; expected gzip"
            )
        limit = MAX_BYTES if response.status_code < 400 else MAX_ERROR_BYTES
        response.raw = _Body(response.raw, limit, response.status_code >= 400, source)
        return response


class _Body:
    """The body of a response, which requests reads with :meth:`stream`.

    :param is_cut: end at the limit as if the body did
    """

    def __init__(self, raw: Any, limit: int, is_cut: bool, source: str) -> None:
        self._raw = raw
        self._limit = limit
        self._is_cut = is_cut
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:
        """Yield the decompressed body.

        :raises ratekit.errors.TryLater: it is too large
        """
        size = 0
        for chunk in self._raw.stream(amount, decode_content=decode_content):
            size += len(chunk)
            if size > self._limit:
                self._raw.close()
                if self._is_cut:
                    return
                # Not an invalid response: a request for less may be answered with less.
                raise errors.TryLater(
                    f"{self._source} sent a response of more than {self._limit >> 20} MiB"
                )
            yield chunk


def _origin(url: str) -> str:
    scheme, host, *_ = urllib.parse.urlsplit(redact_urls(url))
    return f"{scheme}://{host}"
