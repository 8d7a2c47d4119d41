"""How values and errors are written below ``/v1`` and below ``/v2``."""

from __future__ import annotations

import dataclasses
import datetime
import http
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from ratekit.api.faults import Fault
from ratekit.text import number_text

_ENCODER = msgspec.json.Encoder()


@dataclasses.dataclass(frozen=True, slots=True)
class Dialect:
    """One version's way of writing.

    :ivar decimal: returns what JSON shows of a number; all digits, in plain notation
    :ivar instant: returns the text of an aware time
    :ivar fault: returns the body of an error
    """

    decimal: Callable[[Decimal], object]
    instant: Callable[[datetime.datetime], str]
    fault: Callable[[Fault], Mapping[str, object]]

    def encode(self, value: object) -> bytes:
        """Return the JSON of a value, in one line with spaces, which people search in tests."""
        return msgspec.json.format(_ENCODER.encode(self._convert(value)), indent=0)

    def _convert(self, value: Any) -> object:
        match value:
            case Decimal():
                return self.decimal(value)
            case datetime.datetime():
                return self.instant(value)
            case Mapping():
                return {key: self._convert(entry) for key, entry in value.items()}
            case list() | tuple():
                return [self._convert(entry) for entry in value]
            case _:
                return value


def _naive_text(instant: datetime.datetime) -> str:
    return instant.astimezone(datetime.UTC).replace(tzinfo=None).isoformat()


def number_literal(number: Decimal) -> msgspec.Raw:
    """Return a JSON number with all digits, in plain notation."""
    return msgspec.Raw(number_text(number).encode())


def _v1_fault(fault: Fault) -> Mapping[str, object]:
    code = "Server" if fault.status >= 500 else "Client"
    return {"faultcode": code, "faultstring": fault.message, "debuginfo": None}


#: Numbers are text, times have no offset and are UTC.
V1 = Dialect(number_text, _naive_text, _v1_fault)
#: Numbers are JSON's, times have an offset.
V2 = Dialect(number_literal, datetime.datetime.isoformat, lambda fault: {"message": fault.message})


def of_path(path: str) -> Dialect:
    """Return the dialect of a request's path."""
    return V1 if path == "/v1" or path.startswith("/v1/") else V2


def write_fault(environ: Mapping[str, Any], start_response: Any, fault: Fault) -> Iterable[bytes]:
    """Answer a request with an error where Falcon does not: as a WSGI application."""
    dialect = of_path(str(environ.get("PATH_INFO", "")))
    body = dialect.encode(dialect.fault(fault))
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        *fault.headers.items(),
    ]
    start_response(f"{fault.status} {http.HTTPStatus(fault.status).phrase}", headers)
    return [body]
