"""What a rule file says that is allowed and yet charges nothing, or not what it seems to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from ratekit import errors
from ratekit.domain import rules
from ratekit.domain.rules import CostType
from ratekit.files.rules_file import PlacedRule

#: Public names of metrics, with the labels of each.
Labels = Mapping[str, Collection[str]]


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
    ]
    return _mistakes(path, found)


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
        service, field = one.rule.parent.service, one.rule.parent.field
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
        elif isinstance(one.rule, rules.Mapping):
            text = "a negative flat cost never counts: the largest one of a group does, at least 0"
            yield one.line, one.key, text


def _rates_alone(placed: Iterable[PlacedRule]) -> Iterator[_Found]:
    """Rates multiply what is flat in their group; without that, they multiply zero."""
    groups: dict[tuple[str, str | None], list[PlacedRule]] = {}
    for one in placed:
        group = (one.rule.parent.service, one.rule.terms.group)
        groups.setdefault(group, []).append(one)
    for (service, name), members in groups.items():
        if any(one.rule.terms.type is CostType.FLAT for one in members):
            continue
        which = f"group {name}" if name is not None else "the rules without a group"
        text = f"{which} of {service}: rates only, and nothing flat to multiply: charges nothing"
        yield members[0].line, members[0].key, text
