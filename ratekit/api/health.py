"""``/healthcheck``: may a load balancer send requests here?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oslo_middleware import healthcheck

from ratekit import errors
from ratekit.api.authentication import Environ
from ratekit.interfaces import Storage


class Health:
    """Answers 200 or 503, as text, HTML or JSON.

    The section [healthcheck] names more that is examined, such as a file that takes the host out
    of rotation.

    :param storage: must answer, too
    """

    def __init__(self, conf: Any, storage: Storage) -> None:
        self._backends = healthcheck.Healthcheck(None, conf)
        self._storage = storage

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        try:
            self._storage.rules.last_rated_end()
        except errors.RatekitError:
            headers = [("Content-Type", "text/plain; charset=UTF-8"), ("Cache-Control", "no-store")]
            start_response("503 Service Unavailable", headers)
            return [b"DATABASE UNAVAILABLE"]
        answer: Iterable[bytes] = self._backends(environ, start_response)
        return answer
