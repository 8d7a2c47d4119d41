"""Errors as pages: what happened, and what the reader can do."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

import falcon
from oslo_context import context
from oslo_context.context import RequestContext

from ratekit import errors
from ratekit.api.faults import INTERNAL, Fault, is_of_host, read_error
from ratekit.dashboard.forms import FormRefused
from ratekit.html import environment
from ratekit.html.formats import Formats
from ratekit.text import printable

LOG = logging.getLogger(__name__)

_TITLES = {
    400: "This cannot be shown",
    403: "No permission",
    404: "There is no such page",
    405: "There is no such page",
    413: "The file is too large",
    429: "Too many requests",
    503: "Not available at the moment",
}
_ADVICE = {
    400: "Go back, change what was entered, and try again.",
    404: "Choose a page of the menu.",
    405: "Choose a page of the menu.",
    429: "Wait a minute, and load the page again.",
    500: "Try again. If it fails again, tell your administrator; the log names it {request}.",
    503: "Try again in a minute. Usage is rated and stored all the same.",
}
#: In place of Falcon's own words.
_FALCON = {
    404: "the address is wrong, or what it names is no longer there",
    405: "this address takes no such request",
}
_TOO_SLOW = "This takes too long"
_NARROWER = "Choose fewer days, or a page that shows one metric or one resource."
_NOT_ALLOWED = "Choose another project, or ask your administrator for a role."
_REFUSED = "The form was not accepted"
_NO_PROJECT = "No project is chosen"
_CHOOSE = "Choose one of your projects, or ask your administrator for a role in one."
_FAILED = "Something failed"
#: Of an error's content.
TEMPLATE = "error.html"


class NoProject(Fault):
    """A page needs a project, and the reader's token is of none: of a domain or of the system."""

    def __init__(self) -> None:
        super().__init__(403, "your log-in is for no project, and this page is about a project")


class NotAllowed(Fault):
    """A policy does not let the reader see a page, or not what he has asked it for."""

    def __init__(self, rule: str) -> None:
        super().__init__(403, f"your role does not allow what was asked for; the policy is {rule}")


def refuse(fault: Fault, rule: str, caller: RequestContext) -> Fault:
    """Return what to say in place of a fault of the policies, in words for readers of pages."""
    if fault.status != 403:
        return fault
    if not caller.project_id:
        return NoProject()
    return NotAllowed(rule)


#: What another project may help against.
_OF_PROJECT = (NoProject, NotAllowed)


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """An error, for the reader.

    :ivar fault: status, one line of text, and headers
    :ivar advice: what the reader can do
    """

    fault: Fault
    title: str
    advice: str

    def values(self, settings_link: str) -> Mapping[str, object]:
        """Return the values of :data:`TEMPLATE`.

        :param settings_link: where another project can be chosen; empty: nowhere
        """
        message = self.fault.message
        return {
            "title": self.title,
            "message": message[:1].upper() + message[1:].removesuffix(".") + ".",
            "advice": self.advice,
            "settings_link": settings_link if isinstance(self.fault, _OF_PROJECT) else "",
        }

    def render(self, formats: Formats, settings_link: str) -> str:
        """Return the content of its page."""
        return environment.render(TEMPLATE, formats, self.values(settings_link))


def explain(error: Exception, place: str) -> Problem:
    """Return what to show of an error; log what only operators may see.

    :param place: what was asked for, for the log
    """
    match error:
        case errors.TooSlow():
            return Problem(read_error(error), _TOO_SLOW, _NARROWER)
        case NoProject():
            return Problem(error, _NO_PROJECT, _CHOOSE)
        case NotAllowed():
            return Problem(error, _TITLES[403], _NOT_ALLOWED)
        case FormRefused():
            return Problem(error, _REFUSED, _ADVICE[400])
    fault = _read_fault(error, place)
    request = context.get_current()
    advice = _ADVICE.get(fault.status, "").format(request=request.request_id if request else "")
    return Problem(fault, _TITLES.get(fault.status, _FAILED), advice)


def _read_fault(error: Exception, place: str) -> Fault:
    if isinstance(error, Fault):
        return error
    if isinstance(error, errors.RatekitError):
        if is_of_host(error):
            for line in error.lines():
                LOG.error("%s: %s", printable(place), printable(line))
        return read_error(error)
    if isinstance(error, falcon.HTTPError):
        text = _FALCON.get(error.status_code) or error.description or error.title or ""
        headers = {name.replace("-", "_"): text for name, text in dict(error.headers or {}).items()}
        return Fault(error.status_code, text, **headers)
    LOG.error("%s failed", printable(place), exc_info=error)
    return Fault(500, INTERNAL)
