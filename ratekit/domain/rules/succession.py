"""Rules that replace one another in time: from those that are stored to those desired.

All rules here are of one identity, so that at any instant at most one of them is in force.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence

from ratekit.domain.period import BEGINNING, FOREVER
from ratekit.domain.rules.rule import Rule


@dataclasses.dataclass(frozen=True, slots=True)
class Horizon:
    """From when on a change holds, and how far back it may reach.

    :ivar at: when what has no time of its own begins or ends, UTC
    :ivar fence: prices from before may not change; None: all may
    :ivar open_left: nothing has been rated yet: a new rule without start reaches back for ever
    """

    at: datetime.datetime
    fence: datetime.datetime | None = None
    open_left: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Succession:
    """What becomes of the rules of one identity.

    :ivar close: stored rules and the end each gets
    :ivar add: new rules, with the validity to store
    :ivar keep: stored rules that are or will be in force and go on as they are
    :ivar refused: desired rules that would change prices from before the fence
    :ivar void: desired rules without start that end before they could begin
    """

    close: tuple[tuple[Rule, datetime.datetime], ...]
    add: tuple[Rule, ...]
    keep: tuple[Rule, ...]
    refused: tuple[Rule, ...] = ()
    void: tuple[Rule, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of time and the rule that is to price it; None: nothing is."""

    begin: datetime.datetime
    end: datetime.datetime
    rule: Rule | None


def start(rule: Rule) -> datetime.datetime:
    """Return a rule's first instant, however long ago."""
    return rule.terms.start or BEGINNING


def end(rule: Rule) -> datetime.datetime:
    """Return a rule's first instant no longer in force, however far ahead."""
    return rule.terms.end or FOREVER


def moved(rule: Rule, begin: datetime.datetime, until: datetime.datetime) -> Rule:
    """Return ``rule`` with another validity, as one that is not stored."""
    terms = dataclasses.replace(
        rule.terms,
        start=None if begin == BEGINNING else begin,
        end=None if until == FOREVER else until,
    )
    return dataclasses.replace(rule, terms=terms, id=None)


def settle(stored: Sequence[Rule], wanted: Sequence[Rule], horizon: Horizon) -> Succession:
    """Return what makes of ``stored`` what is ``wanted``.

    From ``horizon.at`` on the wanted rules are the whole truth. Before it stored rules stand,
    except where a wanted one says otherwise by a start or an end of its own: from its start
    on it takes the place of the stored rule that is in force then. A stored rule is only ever
    cut short: what follows is a new one.

    :param stored: by start
    :param wanted: by start, without overlaps
    """
    rules = [rule for rule in stored if start(rule) < end(rule)]
    draft = _Draft(rules, wanted, horizon)
    target = draft.target()
    close, keep, kept = [], [], []
    for rule in rules:
        cut = _first_other(rule, target)
        if cut < end(rule):
            close.append((rule, cut))
        elif end(rule) > horizon.at:
            keep.append(rule)
        if start(rule) < cut:
            kept.append(_Piece(start(rule), cut, rule))
    added = [
        (piece.rule, part)
        for piece in target
        if piece.rule is not None
        for part in _without(piece, kept)
    ]
    moments = [cut for _, cut in close] + [part.begin for _, part in added]
    return Succession(
        tuple(close),
        tuple(moved(rule, part.begin, part.end) for rule, part in added),
        tuple(keep),
        tuple(draft.refused(moments)),
        tuple(draft.void),
    )


class _Draft:
    """Says what is to be in force when, and who wants it so."""

    def __init__(self, stored: Sequence[Rule], wanted: Sequence[Rule], horizon: Horizon) -> None:
        self._stored = stored
        self._wanted = wanted
        self._horizon = horizon
        self.void: list[Rule] = []
        #: What wanted rules say; they have the first word.
        self._said: list[_Piece] = []
        #: What they take from stored rules without saying what comes instead.
        self._taken: list[tuple[_Piece, Rule]] = []
        for rule in wanted:
            if rule.terms.start is None:
                self._go_on(rule)
            else:
                self._take_over(rule)

    def target(self) -> list[_Piece]:
        """Return who is to be in force when, by time; nothing is in between."""
        at = self._horizon.at
        pieces = [*self._said]
        held = [*self._said, *(piece for piece, _ in self._taken)]
        for rule in self._stored:
            if start(rule) < at:
                history = _Piece(start(rule), min(at, end(rule)), rule)
                pieces += _without(history, held)
        return sorted(pieces, key=lambda piece: piece.begin)

    def refused(self, moments: Iterable[datetime.datetime]) -> list[Rule]:
        """Return the wanted rules by which something changes at a moment before the fence."""
        fence = self._horizon.fence
        early = [moment for moment in moments if fence is not None and moment < fence]
        sources = [(piece, piece.rule) for piece in self._said] + self._taken
        found = [
            rule
            for piece, rule in sources
            if any(piece.begin <= moment < piece.end for moment in early)
        ]
        return [rule for rule in self._wanted if any(rule is one for one in found)]

    def _go_on(self, rule: Rule) -> None:
        """Say what a wanted rule without start says."""
        at = self._horizon.at
        until = end(rule)
        if self._horizon.open_left and not any(start(one) < min(at, until) for one in self._stored):
            self._said.append(_Piece(BEGINNING, until, rule))
        elif until > at:
            self._said.append(_Piece(at, until, rule))
        elif self._ending(rule) is None:
            self.void.append(rule)
        else:
            self._end(rule)

    def _take_over(self, rule: Rule) -> None:
        """Say what a wanted rule with a start says."""
        self._said.append(_Piece(start(rule), end(rule), rule))
        old = next((one for one in self._stored if one.terms.in_force(start(rule))), None)
        if old is not None:
            self._taken.append((_Piece(start(rule), end(old), None), rule))
        self._end(rule)

    def _end(self, rule: Rule) -> None:
        """Let what goes on with the price of ``rule`` after its end, end there too."""
        last = self._ending(rule)
        if last is None or end(last) == end(rule):
            return
        own = {one.terms.start for one in self._wanted}
        until = end(last)
        for one in self._stored:
            if start(one) == until and one.terms.start not in own and _same_price(one, rule):
                until = end(one)
        self._taken.append((_Piece(end(rule), until, None), rule))

    def _ending(self, rule: Rule) -> Rule | None:
        """Return the stored rule that is in force, for the same price, until ``rule`` ends."""
        found = (one for one in self._stored if start(one) < end(rule) <= end(one))
        return next((one for one in found if _same_price(one, rule)), None)


def _same_price(one: Rule, other: Rule) -> bool:
    return (one.terms.cost, one.terms.type) == (other.terms.cost, other.terms.type)


def _first_other(rule: Rule, target: Iterable[_Piece]) -> datetime.datetime:
    """Return the first instant at which ``rule`` is not what is wanted, or its end."""
    moment = start(rule)
    for piece in target:
        if piece.end <= moment:
            continue
        wanted = piece.rule is not None and _same_price(piece.rule, rule)
        if piece.begin > moment or not wanted:
            break
        moment = piece.end
    return min(moment, end(rule))


def _without(piece: _Piece, others: Iterable[_Piece]) -> list[_Piece]:
    """Return what is left of a piece where none of ``others`` is."""
    parts = [piece]
    for other in others:
        rest = []
        for part in parts:
            before, after = min(part.end, other.begin), max(part.begin, other.end)
            if part.begin < before:
                rest.append(dataclasses.replace(part, end=before))
            if after < part.end:
                rest.append(dataclasses.replace(part, begin=after))
        parts = rest
    return parts
