"""One operation of the API: what its arguments are, who may use it, and what answers it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from oslo_context.context import RequestContext

from ratekit.api.arguments import Arguments
from ratekit.api.parts import Parts
from ratekit.api.streams import Stream
from ratekit.api.visibility import Scopes

A = TypeVar("A", bound=Arguments)

#: Media type.
JSON = "application/json"


@dataclasses.dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """One request, after it was authenticated, parsed and allowed.

    :ivar arguments: from the path, the query and the body
    :ivar scopes: the only scopes that it may see; empty where the operation is not about scopes
    :ivar base_url: scheme, host and prefix under which the client reaches the API
    :ivar media: the media type that the client prefers, of those that the operation has
    :ivar record: writes the line of the audit log, with what was done; a handler that reads after
        its change calls it in between
    """

    parts: Parts
    caller: RequestContext
    arguments: A
    scopes: Scopes
    base_url: str
    media: str
    record: Callable[[str], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is more than a body with the operation's usual status.

    :ivar body: JSON value; None: no body
    :ivar stream: parts of the body, instead of ``body``
    :ivar status: HTTP status; None: the operation's
    """

    body: object = None
    stream: Stream | None = None
    status: int | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One verb on one path.

    :ivar path: as Falcon writes it: ``/v1/info/metrics/{metric}``
    :ivar handler: returns the body, or an :class:`Answer`; its docstring is the documentation
    :ivar rule: the policy that decides who may use it; None: everybody, without a token
    :ivar arguments: model of the arguments
    :ivar answer: type of the body, for the documentation and for tests
    :ivar status: HTTP status when it succeeds
    :ivar media: types of its answers; the first is the usual one
    :ivar faults: statuses of errors that few operations have, for the documentation
    """

    verb: str
    path: str
    handler: Callable[[Call[Any]], object]
    rule: str | None
    arguments: type[Arguments] = Arguments
    answer: Any = None
    status: int = 200
    media: Sequence[str] = (JSON,)
    faults: Sequence[int] = ()

    @property
    def name(self) -> str:
        """The handler's module and name: ``v2.summary.get``."""
        module = self.handler.__module__.removeprefix("ratekit.api.")
        return f"{module}.{self.handler.__name__}"

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.verb not in {"GET", "HEAD"} and self.rule not in _READING_POSTS


#: Policies of operations that only read, although their verb is POST.
_READING_POSTS = frozenset({"rating:quote", "rating:plan"})
