"""Errors, sorted by who has to act."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence


class RatekitError(Exception):
    """Base class of all errors that ratekit raises intentionally."""

    def lines(self) -> Sequence[str]:
        """Return the text, an item for each line; text from outside may break inside of one."""
        return (str(self),)


class TryLater(RatekitError):
    """A back end did not answer; ratekit retries and no operator has to act.

    :ivar after: seconds that the back end asked to wait before a retry, or None
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        self.after = after
        super().__init__(message)


class NotYet(TryLater):
    """Data has not arrived yet; nothing has failed."""


class NoSpace(TryLater):
    """There is no space for what has been collected; less of it may fit."""


class InvalidResponse(TryLater):
    """A response cannot be parsed; responses to other requests may be valid."""


class TooSlow(TryLater):
    """A report took longer than its limit; a smaller one may not.

    :ivar seconds: the limit
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"the report took longer than {seconds:g} s: choose a shorter time range or fewer "
            "groups"
        )


class Unconfirmed(TryLater):
    """It is unknown whether a change was made."""


class NotShown(TryLater):
    """A change was made, but what it made cannot be read."""

    def __init__(self) -> None:
        super().__init__("the change was made, but cannot be shown; do not repeat it")


class Conflict(TryLater):
    """Another process made a conflicting change; the work may be retried at once."""


class LockConflict(Conflict):
    """Another transaction held what this one needed; the text is the database's."""


class RulesChanged(Conflict):
    """Price rules changed between pricing and storing; price again."""


class Interrupted(RatekitError):
    """The process stops; the work will be done later."""

    def __init__(self) -> None:
        super().__init__("the processor stops")


class OperatorError(RatekitError):
    """An operator must correct something; a retry will fail, too."""

    def __init__(self, *lines: str) -> None:
        self._lines = lines
        super().__init__("\n".join(lines))

    def lines(self) -> Sequence[str]:
        """Return the text, a line for each mistake."""
        return self._lines


class HostError(OperatorError):
    """This host, or a service that it uses, is not set up rightly; no request is the cause.

    The text is for operators: it names files, addresses and users.
    """


class NotFound(OperatorError):
    """There is no such thing as the one that was named."""


class TaskOverlap(OperatorError):
    """An open task is for the same periods of the same scope."""


class StateConflict(OperatorError):
    """A request is valid by itself, but not together with what is stored."""


class OutdatedRules(StateConflict):
    """A change was planned for price rules, or for a ledger, that have changed since."""


class TooManyGroups(OperatorError):
    """A summary has more groups than its reader takes.

    :ivar maximum: what he takes
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        super().__init__(
            f"the summary has more than {maximum:,} groups: choose a shorter time range or fewer "
            "labels"
        )


class NoRules(OperatorError):
    """There has never been a price rule, and all prices come from rules.

    :ivar reason: what is wrong, one clause
    :ivar remedy: what an operator can do, one clause
    """

    def __init__(self) -> None:
        super().__init__(
            "there are no price rules, so nothing is rated: add some with ratekit hashmap apply "
            "FILE, or set [rating] without_rules = free to rate all usage at price 0"
        )
        self.reason, _, self.remedy = str(self).partition(": ")


class AccessDenied(HostError):
    """A back end refuses every request of ratekit; no scope or metric is the cause."""


class ClockSkew(HostError):
    """Clocks differ too much to tell which periods are due."""


class CloudMismatch(AccessDenied):
    """The configuration and the cloud do not fit together; a retry fails until one is changed."""


class Expired(OperatorError):
    """A back end has expired a part of the requested usage.

    :ivar gone: what has expired, one clause
    """

    def __init__(self, gone: str, remedy: str) -> None:
        self.gone = gone
        super().__init__(f"{gone}; {remedy}")


class SchemaChanged(HostError):
    """The database was migrated while this process ran; it must end without writing."""


class DatabaseReplaced(SchemaChanged):
    """Another database took the place of the one that this process used."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file that an operator wrote.

    :ivar file: path as the operator wrote it
    :ivar line: line number counted from 1, or None if there is no line
    :ivar key: path of keys in the file, separated by dots; empty for the file as a whole
    :ivar expected: what is wrong and what is expected, one sentence
    """

    file: str
    line: int | None
    key: str
    expected: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.expected}" if self.key else f"{place}: {self.expected}"


class BadInput(OperatorError):
    """Files or options that cannot be used, with all mistakes together.

    :ivar mistakes: at least one
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(*map(str, self.mistakes))


class BadFile(BadInput, HostError):
    """Files of this host that cannot be used."""


def suggestion(word: str, names: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` if one of ``names`` is similar, else ``""``."""
    matches = difflib.get_close_matches(word, list(names), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
