"""JSON requests to a server of the stack; errors name the server's log."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keystoneauth1.exceptions
from keystoneauth1.session import Session

from tests.stack.errors import StackError


@dataclasses.dataclass(frozen=True, slots=True)
class Api:
    """One server's API.

    :ivar url: the root that paths are appended to
    :ivar log: the server's, which errors name
    """

    session: Session
    url: str
    log: Path

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send a request; return the response's JSON, or None if it has no body.

        :raises StackError: no response in time, or an error status
        """
        try:
            response = self.session.request(self.url + path, method, json=body)
        except keystoneauth1.exceptions.ClientException as error:
            reason = " ".join(str(error).split())
            raise StackError(
                f"{method} {path} at {self.log.stem} failed: {reason}; see {self.log}"
            ) from error
        return response.json() if response.content else None
