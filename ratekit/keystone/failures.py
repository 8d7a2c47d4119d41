"""What keystoneauth's errors mean, sorted by who must act."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from keystoneauth1 import exceptions

from ratekit import errors, http_errors


class Sections(NamedTuple):
    """Sections of the configuration, for messages; empty where there is none.

    :ivar service: says how to reach the service: TLS, region, interface
    :ivar credentials: says how to authenticate; often the same
    """

    service: str = ""
    credentials: str = ""


@contextlib.contextmanager
def translate_errors(service: str, sections: Sections = Sections()) -> Iterator[None]:  # noqa: B008
    """Turn keystoneauth's errors into ratekit's, which name the ``service``.

    :param sections: what an operator should check after a refusal
    :raises ratekit.errors.TryLater: no answer, or one that asks to retry later
    :raises ratekit.errors.AccessDenied: refused
    """
    try:
        yield
    except exceptions.ClientException as error:
        raise _translate(service, sections, error) from error
    except RecursionError:
        raise errors.InvalidResponse(f"{service} returned JSON that is nested too deeply") from None


def _translate(
    service: str, sections: Sections, error: exceptions.ClientException
) -> errors.RatekitError:
    text = http_errors.summarize(error)
    hint = f"; check [{sections.credentials}]" if sections.credentials else ""
    match error:
        case exceptions.SSLError():
            # Whichever section has the credentials, TLS is set where the service is.
            where = f"; check cafile and insecure in [{sections.service}]"
            return errors.AccessDenied(
                f"{service}: TLS verification failed: {text}{where if sections.service else ''}"
            )
        case exceptions.ConnectionError():
            return errors.TryLater(f"{service} does not answer: {text}")
        case (
            exceptions.HttpServerError()
            | exceptions.TooManyRequests()
            | exceptions.RequestTimeout()
        ):
            headers = {} if error.response is None else error.response.headers
            seconds = http_errors.retry_after(headers)
            return errors.TryLater(f"{service} answered {error.http_status}: {text}", seconds)
        case exceptions.InvalidResponse():
            return errors.TryLater(f"{service} returned an invalid response{hint}")
    return errors.AccessDenied(f"{service} refused: {text}{hint}")
