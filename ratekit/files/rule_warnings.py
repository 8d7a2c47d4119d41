"""Warnings about rules that a file may have but that charge nothing, or not what they seem to."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.rules import calendar_labels
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget
from ratekit.files.rules_file import PlacedRule
from ratekit.text import count_text, duration_text, utc_text

#: Labels of each metric, by its public name.
Labels = Mapping[str, Collection[str]]

#: Only so many unknown scopes get a "did you mean": the search is slow among many scopes.
_MAX_HINTS = 10
#: A time from then on stands for "no end", and there may be no period after it.
_FAR_FUTURE = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


def find_warnings(
    path: str, placed: Iterable[PlacedRule], metrics_path: str, labels: Labels
) -> list[errors.Mistake]:
    """Return what is suspicious in a rule file, in its order.

    :param path: path of the rule file, as the operator gave it
    :param metrics_path: path of the metrics.yml with ``labels``
    :param labels: empty: metrics.yml cannot be read
    """
    rules = list(placed)
    return _sort(
        path,
        [
            *_check_targets(rules, metrics_path, labels),
            *_check_negative_costs(rules),
            *_check_rates(rules),
            *_check_calendar(rules),
            *_check_null_texts(rules),
        ],
    )


def find_off_grid_times(
    path: str, placed: Iterable[PlacedRule], step: datetime.timedelta
) -> list[errors.Mistake]:
    """Return the starts and ends inside a period: its price depends on its begin alone.

    :param path: path of the rule file, as the operator gave it
    :param step: length of a period
    """
    warnings = []
    for placed_rule in placed:
        terms = placed_rule.rule.terms
        for key, instant in (("start", terms.start), ("end", terms.end)):
            if instant is None or instant >= _FAR_FUTURE:
                continue
            begin = period.ceiling(instant, step)
            if begin == instant:
                continue
            preposition = "from" if key == "start" else "until"
            text = (
                f"no period of {duration_text(step)} starts at {utc_text(instant)}; the rule "
                f"applies {preposition} {utc_text(begin)}"
            )
            warnings.append((placed_rule.line, f"{placed_rule.key}.{key}", text))
    return _sort(path, warnings)


def find_unknown_scopes(
    path: str, placed: Iterable[PlacedRule], names: Mapping[str, str]
) -> list[errors.Mistake]:
    """Return the unknown scopes of rules, each once, in the file's order.

    :param path: path of the rule file, as the operator gave it
    :param names: names of all scopes, by id; empty: there are none yet, and none is unknown
    """
    unknown_scopes: dict[str, PlacedRule] = {}
    for placed_rule in placed if names else ():
        scope = placed_rule.rule.terms.scope
        if scope is not None and scope not in names:
            unknown_scopes.setdefault(scope, placed_rule)
    ids = _ids_by_name(names)
    warnings = []
    for number, (scope, placed_rule) in enumerate(unknown_scopes.items()):
        if scope in ids:
            text = _name_text(scope, ids[scope])
        else:
            hint = errors.suggestion(scope, [*names, *ids]) if number < _MAX_HINTS else ""
            text = f"no scope has the id {scope!r}{hint}; rules for it never match"
        warnings.append((placed_rule.line, f"{placed_rule.key}.scope", text))
    return _sort(path, warnings)


def find_scope_names(
    path: str, placed: Iterable[PlacedRule], names: Mapping[str, str], scope_key: str
) -> list[errors.Mistake]:
    """Return the mappings that look for a scope's name in the label with its id.

    :param path: path of the rule file, as the operator gave it
    :param names: names of all scopes, by id
    :param scope_key: the label
    """
    ids = _ids_by_name(names)
    warnings = []
    for placed_rule in placed:
        rule = placed_rule.rule
        if not isinstance(rule, MappingRule) or rule.target.label != scope_key:
            continue
        value = rule.value
        if value is not None and value in ids and value not in names:
            text = _name_text(value, ids[value])
            warnings.append((placed_rule.line, f"{placed_rule.key}.value", text))
    return _sort(path, warnings)


def _ids_by_name(names: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """Return the sorted ids of the scopes with each name; an empty name is none."""
    ids: dict[str, list[str]] = {}
    for scope, name in sorted(names.items()):
        if name:
            ids.setdefault(name, []).append(scope)
    return ids


def _name_text(name: str, ids: Sequence[str]) -> str:
    alternatives = f" or {count_text(len(ids) - 1, 'other')}" if len(ids) > 1 else ""
    return f"{name!r} is a name; write its id, {ids[0]!r}{alternatives} (names never match)"


def find_unpriced_metrics(
    metrics_path: str, placed: Iterable[PlacedRule], labels: Labels
) -> list[errors.Mistake]:
    """Return one warning that names all metrics without rules, if there are any.

    :param metrics_path: path of the metrics.yml with ``labels``
    :param labels: empty: metrics.yml cannot be read
    """
    metrics = {placed_rule.rule.target.metric for placed_rule in placed}
    names = [name for name in labels if name not in metrics]
    if not names:
        return []
    possessive = "its" if len(names) == 1 else "their"
    text = f"no rule prices {', '.join(names)}: {possessive} usage is stored at price 0"
    return [errors.Mistake(metrics_path, None, "", text)]


def find_unpriced_nulls(path: str, counts: Mapping[RuleTarget, int]) -> list[errors.Mistake]:
    """Return a warning for each label that is null in usage that costs nothing.

    :param path: path of the rule file, as the operator gave it
    :param counts: how many recent usages have the null label
    """
    return [
        errors.Mistake(
            path,
            None,
            f"services.{target.metric}.fields.{target.label}",
            f"{count_text(count, 'recent usage')} would cost nothing and the label is null: add a "
            "mapping with value: null",
        )
        for target, count in counts.items()
    ]


def find_unknown_targets(
    path: str, placed: Iterable[PlacedRule], metrics_path: str, labels: Labels
) -> list[errors.Mistake]:
    """Return the services and fields that no metric has, each once, in the file's order.

    :param path: path of the rule file, as the operator gave it
    :param metrics_path: path of the metrics.yml with ``labels``
    :param labels: empty: metrics.yml cannot be read, and no service is unknown
    """
    return _sort(path, _check_targets(placed, metrics_path, labels))


#: Line, key and text.
_Warning = tuple[int | None, str, str]


def _sort(path: str, warnings: Iterable[_Warning]) -> list[errors.Mistake]:
    return [
        errors.Mistake(path, line, key, text)
        for line, key, text in sorted(warnings, key=lambda warning: warning[0] or 0)
    ]


def _check_targets(
    placed: Iterable[PlacedRule], metrics_path: str, labels: Labels
) -> Iterator[_Warning]:
    reported: set[tuple[str, str | None]] = set()
    for placed_rule in placed if labels else ():
        service, field = placed_rule.rule.target.metric, placed_rule.rule.target.label
        if service not in labels:
            field = None
        elif field is None or field in labels[service]:
            continue
        if (service, field) in reported:
            continue
        reported.add((service, field))
        text = describe_unknown_target(RuleTarget(service, field), metrics_path, labels)
        yield placed_rule.line, placed_rule.key, text


def describe_unknown_target(target: RuleTarget, metrics_path: str, labels: Labels) -> str:
    """Return a warning of a target that no usage has.

    :param target: a metric that is not in ``labels``, or a label that its metric lacks there
    """
    if target.label is None or target.metric not in labels:
        hint = errors.suggestion(target.metric, labels)
        text = f"no metric in {metrics_path} is named {target.metric!r}{hint}"
    else:
        hint = errors.suggestion(target.label, labels[target.metric])
        text = f"{target.metric} has no label {target.label!r} in {metrics_path}{hint}"
    return f"{text}; rules for it never match"


def _check_negative_costs(placed: Iterable[PlacedRule]) -> Iterator[_Warning]:
    for placed_rule in placed:
        terms = placed_rule.rule.terms
        if terms.cost >= 0:
            continue
        if terms.type is CostType.RATE:
            text = "a negative rate turns the price into a credit"
            yield placed_rule.line, placed_rule.key, text
        elif isinstance(placed_rule.rule, MappingRule):
            text = (
                "a negative flat cost has no effect: of a group, the largest flat cost counts, "
                "and at least 0"
            )
            yield placed_rule.line, placed_rule.key, text


def _check_rates(placed: Iterable[PlacedRule]) -> Iterator[_Warning]:
    """Yield the groups that have rates but nothing for them to multiply."""
    groups: dict[tuple[str, str | None], list[PlacedRule]] = {}
    for placed_rule in placed:
        group = (placed_rule.rule.target.metric, placed_rule.rule.terms.group)
        groups.setdefault(group, []).append(placed_rule)
    for (service, name), members in groups.items():
        if any(member.rule.terms.type is CostType.FLAT for member in members):
            continue
        rules = f"group {name}" if name is not None else "the rules without a group"
        text = f"{rules} of {service}: rates without a flat cost multiply 0 and charge nothing"
        yield members[0].line, members[0].key, text


def _check_calendar(placed: Iterable[PlacedRule]) -> Iterator[_Warning]:
    for placed_rule in placed:
        text = calendar_labels.explain_mismatch(placed_rule.rule)
        if text is not None:
            yield placed_rule.line, placed_rule.key, text


def _check_null_texts(placed: Iterable[PlacedRule]) -> Iterator[_Warning]:
    for placed_rule in placed:
        if placed_rule.has_null_text:
            text = (
                "None is read as null, as in CloudKitty: it matches labels that are null or have "
                "the text None; write null"
            )
            yield placed_rule.line, f"{placed_rule.key}.value", text
