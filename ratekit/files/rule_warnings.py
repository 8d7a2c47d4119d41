"""What a rule file says that is allowed and yet charges nothing, or not what it seems to."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.rules import calendar_labels, rule
from ratekit.domain.rules.rule import CostType
from ratekit.files.rules_file import PlacedRule
from ratekit.text import utc_text

#: Public names of metrics, with the labels of each.
Labels = Mapping[str, Collection[str]]

#: So many strangers are told what may be meant; to look for it takes long among many scopes.
_HINTS = 10
#: From then on a time stands for "for ever", and may have no period after it.
_FAR = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


def warnings(
    path: str, placed: Iterable[PlacedRule], metrics_path: str, labels: Labels
) -> list[errors.Mistake]:
    """Return what is suspicious in a rule file, in its order.

    :param path: of the rule file, as the operator gave it
    :param metrics_path: of the metrics.yml that ``labels`` are from
    :param labels: nothing where that could not be read
    """
    members = list(placed)
    found = [
        *_strangers(members, metrics_path, labels),
        *_negative(members),
        *_rates_alone(members),
        *_off_the_calendar(members),
    ]
    return _mistakes(path, found)


def off_grid(
    path: str, placed: Iterable[PlacedRule], step: datetime.timedelta
) -> list[errors.Mistake]:
    """Return the rules that start or end inside a period, which is priced by its begin.

    :param path: of the rule file, as the operator gave it
    :param step: length of a period
    """
    found = []
    for one in placed:
        terms = one.rule.terms
        for key, instant in (("start", terms.start), ("end", terms.end)):
            if instant is None or instant >= _FAR:
                continue
            begin = period.ceiling(instant, step)
            if begin == instant:
                continue
            text = f"no period of {step} begins at {utc_text(instant)}: the rule counts"
            when = utc_text(begin)
            text += f" from {when} on" if key == "start" else f" until {when}"
            found.append((one.line, f"{one.key}.{key}", text))
    return _mistakes(path, found)


def stray_scopes(
    path: str, placed: Iterable[PlacedRule], names: Mapping[str, str]
) -> list[errors.Mistake]:
    """Return the scopes of rules that nobody knows, each once, in the file's order.

    :param path: of the rule file, as the operator gave it
    :param names: of all scopes, by id; nothing where none is known, and nothing can be told by
    """
    strays: dict[str, PlacedRule] = {}
    for one in placed if names else ():
        scope = one.rule.terms.scope
        if scope is not None and scope not in names:
            strays.setdefault(scope, one)
    ids: dict[str, list[str]] = {}
    for scope, name in names.items():
        ids.setdefault(name, []).append(scope)
    found = []
    for number, (scope, one) in enumerate(strays.items()):
        if scope in ids:
            text = f"{scope!r} is the name of {_any_of(ids[scope])}: write the id"
        else:
            hint = errors.nearest(scope, [*names, *ids]) if number < _HINTS else ""
            text = f"no scope has the id {scope!r}{hint}"
        found.append((one.line, f"{one.key}.scope", f"{text}: such rules never match"))
    return _mistakes(path, found)


def unpriced(
    metrics_path: str, placed: Iterable[PlacedRule], labels: Labels
) -> list[errors.Mistake]:
    """Return the metrics that no rule is for, all in one line, if there are any.

    :param metrics_path: of the metrics.yml that ``labels`` are from
    :param labels: nothing where that could not be read
    """
    priced = {one.rule.target.metric for one in placed}
    names = ", ".join(name for name in labels if name not in priced)
    if not names:
        return []
    text = f"nothing prices: {names}: they cost nothing"
    return [errors.Mistake(metrics_path, None, "", text)]


def _any_of(ids: Collection[str]) -> str:
    first, *rest = sorted(ids)
    return f"scope {first}" if not rest else f"scope {first} and of {len(rest):,} more"


def strangers(
    path: str, placed: Iterable[PlacedRule], metrics_path: str, labels: Labels
) -> list[errors.Mistake]:
    """Return the services and fields that no metric has, each once, in the file's order.

    :param path: of the rule file, as the operator gave it
    :param metrics_path: of the metrics.yml that ``labels`` are from
    :param labels: nothing where that could not be read
    """
    return _mistakes(path, _strangers(placed, metrics_path, labels))


_Found = tuple[int | None, str, str]


def _mistakes(path: str, found: Iterable[_Found]) -> list[errors.Mistake]:
    return [
        errors.Mistake(path, line, key, text)
        for line, key, text in sorted(found, key=lambda one: one[0] or 0)
    ]


def _strangers(placed: Iterable[PlacedRule], metrics_path: str, labels: Labels) -> Iterator[_Found]:
    told: set[tuple[str, str | None]] = set()
    for one in placed if labels else ():
        service, field = one.rule.target.metric, one.rule.target.label
        if service not in labels:
            if (service, None) not in told:
                hint = errors.nearest(service, labels)
                text = f"no metric of {metrics_path} is called {service!r}{hint}"
                yield one.line, one.key, f"{text}: such rules never match"
            told.add((service, None))
        elif field is not None and field not in labels[service]:
            if (service, field) not in told:
                hint = errors.nearest(field, labels[service])
                text = f"{service} has no label {field!r} in {metrics_path}{hint}"
                yield one.line, one.key, f"{text}: such rules never match"
            told.add((service, field))


def _negative(placed: Iterable[PlacedRule]) -> Iterator[_Found]:
    for one in placed:
        terms = one.rule.terms
        if terms.cost >= 0:
            continue
        if terms.type is CostType.RATE:
            yield one.line, one.key, "a negative rate turns the price into a credit"
        elif isinstance(one.rule, rule.MappingRule):
            text = "a negative flat cost never counts: the largest one of a group does, at least 0"
            yield one.line, one.key, text


def _rates_alone(placed: Iterable[PlacedRule]) -> Iterator[_Found]:
    """Rates multiply what is flat in their group; without that, they multiply zero."""
    groups: dict[tuple[str, str | None], list[PlacedRule]] = {}
    for one in placed:
        group = (one.rule.target.metric, one.rule.terms.group)
        groups.setdefault(group, []).append(one)
    for (service, name), members in groups.items():
        if any(one.rule.terms.type is CostType.FLAT for one in members):
            continue
        which = f"group {name}" if name is not None else "the rules without a group"
        text = f"{which} of {service}: rates only, and nothing flat to multiply: charges nothing"
        yield members[0].line, members[0].key, text


def _off_the_calendar(placed: Iterable[PlacedRule]) -> Iterator[_Found]:
    for one in placed:
        text = calendar_labels.explain_mismatch(one.rule)
        if text is not None:
            yield one.line, one.key, text
