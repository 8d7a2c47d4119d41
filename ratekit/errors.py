"""What can go wrong, sorted by who has to act."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable


class RatekitError(Exception):
    """Base of all errors that ratekit raises on purpose."""


class TryLater(RatekitError):
    """A back end did not answer; nobody has to act, the work is tried again.

    :ivar after: seconds for which the back end asked to be left alone, or None
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        self.after = after
        super().__init__(message)


class NotYet(TryLater):
    """Data is still on its way; nothing has failed."""


class InvalidResponse(TryLater):
    """A back end answered with nonsense; asked for something else, it may well make sense."""


class Conflict(TryLater):
    """Somebody else was in the way; the same may be tried again at once."""


class RulesChanged(Conflict):
    """Price rules changed between pricing and storing; price anew."""


class OperatorError(RatekitError):
    """Something an operator must put right; trying again as it is will not help."""


class AccessDenied(OperatorError):
    """A back end refuses ratekit itself, whatever it is asked: no scope or metric is at fault."""


class Expired(OperatorError):
    """A back end has forgotten a part of what was used at the time it is asked for.

    :ivar gone: what it has forgotten, one clause
    """

    def __init__(self, gone: str, remedy: str) -> None:
        self.gone = gone
        super().__init__(f"{gone}; {remedy}")


class SchemaChanged(OperatorError):
    """The database was migrated under this process, which may write no more and must end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file that an operator wrote.

    :ivar file: path as the operator gave it
    :ivar line: line number counted from 1, or None where there is no line
    :ivar key: dotted place inside the file, empty for the file as a whole
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
    """Files or options that cannot be used; all mistakes are told together.

    :ivar mistakes: at least one
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``' (did you mean x?)'`` where one of ``known`` is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
