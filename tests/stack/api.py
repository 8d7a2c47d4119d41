"""JSON requests to a server of the stack; errors name the server's log."""

from __future__ import annotations

import dataclasses
from typing import Any

import keystoneauth1.exceptions
from keystoneauth1.session import Session

from tests.stack.errors import StackError
from tests.stack.processes import Process


@dataclasses.dataclass(frozen=True, slots=True)
class Api:
    """One server's API.

    :ivar url: the root that paths are appended to
    :ivar process: the server, whose log errors name
    """

    session: Session
    url: str
    process: Process

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send a request; return the response's JSON, or None if it has no body.

        :raises StackError: no response in time, or an error status
        """
        try:
            response = self.session.request(self.url + path, method, json=body)
        except keystoneauth1.exceptions.ClientException as error:
            reason = " ".join(str(error).split())
            raise StackError(
                f"{method} {path} at {self.process.name} failed: {reason}; see {self.process.log}"
            ) from error
        return response.json() if response.content else None
