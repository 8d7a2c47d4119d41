"""The WSGI application: Falcon, with authentication and OpenStack's middleware around it."""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import falcon
import msgspec
from oslo_middleware import cors, http_proxy_to_wsgi, request_id

from ratekit import errors
from ratekit.api import arguments, audit, authentication, dialects
from ratekit.api.authentication import Authenticate, Wsgi
from ratekit.api.faults import INTERNAL, Fault, is_of_host, read_error
from ratekit.api.health import Health
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.parts import Parts
from ratekit.api.throttle import Throttle
from ratekit.api.visibility import Scopes, visible_scopes
from ratekit.text import printable

LOG = logging.getLogger(__name__)

#: Where load balancers ask.
HEALTH = "/healthcheck"
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_NOBODY: frozenset[str] = frozenset()
_BODILESS = frozenset({204, 304})


def build(
    parts: Parts,
    operations: Sequence[Operation],
    authenticate: Authenticate = authentication.authenticate,
) -> Wsgi:
    """Return the application.

    :param operations: all of them; a path may have several verbs
    :param authenticate: returns an application behind authentication
    """
    app = falcon.App()
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.auto_parse_qs_csv = False
    app.req_options.keep_blank_qs_values = False
    app.set_error_serializer(_serialize)
    app.add_error_handler(Exception, _handle)
    throttle = Throttle(parts.conf.api.requests_per_minute)
    by_path: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        by_path[operation.path].append(operation)
    for path, same_path in by_path.items():
        app.add_route(path, _Resource(parts, same_path, throttle))
    public_paths = {operation.path for operation in operations if operation.rule is None}
    return _surround(app, parts, public_paths, authenticate)


def _surround(
    app: Wsgi, parts: Parts, public_paths: Collection[str], authenticate: Authenticate
) -> Wsgi:
    """Return the application inside of all middleware, the outermost last."""
    conf = parts.conf
    public: dict[str, Wsgi] = {
        **dict.fromkeys(public_paths, app),
        HEALTH: Health(conf, parts.storage),
    }
    inner: Any = authenticate(app, conf, public)
    inner = request_id.RequestId(authentication.Context(inner))
    inner = http_proxy_to_wsgi.HTTPProxyToWSGI(inner, conf)
    wsgi: Wsgi = cors.CORS(inner, conf)
    return wsgi


class _Resource:
    """Answers the verbs of one path."""

    def __init__(self, parts: Parts, operations: Sequence[Operation], throttle: Throttle) -> None:
        self._parts = parts
        self._throttle = throttle
        for operation in operations:
            responder = self._build_responder(operation)
            setattr(self, f"on_{operation.verb.lower()}", responder)
            if operation.verb == "GET":
                self.on_head = responder

    def _build_responder(self, operation: Operation) -> Callable[..., None]:
        def respond(request: falcon.Request, response: falcon.Response, **path: str) -> None:
            if operation.rule is not None:
                self._throttle.count(authentication.caller(request.env))
            _respond(self._parts, operation, request, response, path)

        return respond


def _respond(
    parts: Parts,
    operation: Operation,
    request: falcon.Request,
    response: falcon.Response,
    path: Mapping[str, str],
) -> None:
    caller = authentication.caller(request.env)
    values = operation.arguments
    # Whoever has no token makes the API read nothing.
    limit = parts.limits.body if operation.rule is not None else 0
    call_arguments = arguments.read(values, _gather(request, path, limit))
    scopes: Scopes = _NOBODY
    if operation.rule is not None:
        scopes = visible_scopes(
            parts.policies,
            operation.rule,
            caller,
            call_arguments.demand(parts.conf.collect.scope_key),
            parts.conf.collect.scope_key,
        )
    base_url = f"{request.scheme}://{request.netloc}{request.root_path}"
    media = request.client_prefers(operation.media) or operation.media[0]
    entry = audit.Entry(operation, caller, request.path, call_arguments)
    with audit.recording(entry) if operation.writes else contextlib.nullcontext():
        result = operation.handler(
            Call(parts, caller, call_arguments, scopes, base_url, media, entry.write)
        )
    answer = result if isinstance(result, Answer) else Answer(result)
    response.status = answer.status or operation.status
    has_body = answer.stream is not None or answer.body is not None
    if has_body and response.status_code not in _BODILESS:
        _write_body(request, response, answer)
    for name, value in answer.headers.items():
        response.set_header(name, value)


def _write_body(request: falcon.Request, response: falcon.Response, answer: Answer) -> None:
    response.content_type = falcon.MEDIA_JSON
    if answer.stream is None:
        response.data = dialects.of_path(request.path).encode(answer.body)
    elif request.method == "HEAD":
        answer.stream.close()
    else:
        response.stream = answer.stream


def _gather(request: falcon.Request, path: Mapping[str, str], limit: int) -> Mapping[str, Any]:
    """Return the arguments of a request: CloudKitty's clients put them anywhere."""
    query = arguments.query_values(request.params)
    return arguments.merge([query, _read_body(request, limit), path])


def _read_body(request: falcon.Request, limit: int) -> Mapping[str, Any]:
    """Return the JSON object in a request's body; empty without a body.

    :param limit: most bytes; 0: the body is ignored
    """
    length = request.content_length
    if not length:
        # Without a length there is no body, but for chunked requests, which nobody needs.
        if "HTTP_TRANSFER_ENCODING" in request.env:
            raise Fault(411, "expected a Content-Length header")
        return {}
    if not limit:
        return {}
    if length > limit:
        raise Fault(413, f"expected a body of at most {limit} bytes, not {length}")
    try:
        body = _DECODER.decode(request.bounded_stream.read())
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise Fault(400, f"expected a JSON object as body: {error}") from None
    except ArithmeticError:
        raise Fault(400, "expected a JSON object as body: a number is too large") from None
    if not isinstance(body, dict):
        raise Fault(400, "expected a JSON object as body")
    return body


def _handle(
    request: falcon.Request, response: falcon.Response, error: Exception, _: object
) -> None:
    """Answer an error, in the dialect of the path."""
    if isinstance(error, Fault):
        fault = error
    elif isinstance(error, errors.RatekitError):
        fault = read_error(error)
        if is_of_host(error):
            _log(request, error)
    elif isinstance(error, falcon.HTTPError):
        _serialize(request, response, error)
        response.status = error.status
        response.set_headers(error.headers or {})
        return
    else:
        LOG.exception("%s %s failed", request.method, request.path)
        fault = Fault(500, INTERNAL)
    response.status = fault.status
    response.set_headers(fault.headers)
    _write(request, response, fault)


def _log(request: falcon.Request, error: errors.RatekitError) -> None:
    for line in error.lines():
        LOG.error("%s %s: %s", request.method, printable(request.path), printable(line))


def _serialize(request: falcon.Request, response: falcon.Response, error: falcon.HTTPError) -> None:
    """Write an error of Falcon's: an unknown path or verb."""
    _write(request, response, Fault(error.status_code, error.description or error.title or ""))


def _write(request: falcon.Request, response: falcon.Response, fault: Fault) -> None:
    dialect = dialects.of_path(request.path)
    response.data = dialect.encode(dialect.fault(fault))
    response.content_type = falcon.MEDIA_JSON
