"""JSON requests to a server of the stack, whose failures name the server's log."""

from __future__ import annotations

import dataclasses
from typing import Any

import keystoneauth1.exceptions
from keystoneauth1.session import Session

from tests.stack.errors import StackError
from tests.stack.processes import Process


@dataclasses.dataclass(frozen=True, slots=True)
class Rest:
    """One server's API.

    :ivar url: what paths are appended to
    :ivar process: the server, whose log explains what went wrong
    """

    session: Session
    url: str
    process: Process

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request; return the answer's JSON, or None if it has no body.

        :raises StackError: no answer in time, or an error for an answer
        """
        try:
            answer = self.session.request(self.url + path, method, json=body)
        except keystoneauth1.exceptions.ClientException as error:
            reason = " ".join(str(error).split())
            raise StackError(
                f"{method} {path} at {self.process.name} failed: {reason}; see {self.process.log}"
            ) from error
        return answer.json() if answer.content else None
