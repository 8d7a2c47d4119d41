"""Values of options: each mistake with its file, its line and what is expected."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from oslo_config import cfg, types

from ratekit import conf as core
from ratekit import errors
from ratekit.conf import api, database, orchestrator, rating
from ratekit.conf.checking.source import Content, OptionEntry
from ratekit.interfaces import ConfCheck, Configurable

#: Longest value that a message shows in full, in characters.
_SHOWN = 60


def find_mistakes(conf: Any, content: Content) -> list[errors.Mistake]:
    """Return the mistakes in the options of the core.

    :param conf: a loaded ``ConfigOpts``
    :param content: the files from which it was loaded
    """
    mistakes = list(_find_wrong(conf, content, core.list_opts()))
    # A check of combinations would repeat a mistake in a single value.
    if not mistakes:
        for section in (database, orchestrator, rating, api):
            mistakes += [content.mistake(*triple) for triple in section.check(conf)]
    return mistakes


def find_plugin_mistakes(conf: Any, content: Content, plugin: Any) -> list[errors.Mistake]:
    """Return the mistakes in the options of a plug-in, which are registered on ``conf``."""
    sections = plugin.options() if isinstance(plugin, Configurable) else {}
    mistakes = list(_find_wrong(conf, content, sections.items()))
    if not mistakes and isinstance(plugin, ConfCheck):
        mistakes += [content.mistake(*triple) for triple in plugin.check_conf(conf)]
    return mistakes


def require_none(mistakes: Collection[errors.Mistake]) -> None:
    """Require that there are no mistakes.

    :raises ratekit.errors.BadInput: with each of them once, in the order of files and lines
    """
    if mistakes:
        by_line = sorted(mistakes, key=lambda mistake: (mistake.file, mistake.line or 0))
        raise errors.BadInput(dict.fromkeys(by_line))


def _find_wrong(
    conf: Any, content: Content, sections: Iterable[tuple[str, Sequence[Any]]]
) -> Iterator[errors.Mistake]:
    for group, opts in sections:
        yield from find_wrong_values(conf, content, group, opts)


def find_default_mistakes(content: Content, opts: Iterable[Any]) -> list[errors.Mistake]:
    """Return mistakes in [DEFAULT] in options that the command line has, too.

    oslo.config ends the process when a file has a wrong value for one of these.
    """
    mistakes = []
    for opt in opts:
        entry = _find_entry(content, "DEFAULT", opt)
        try:
            if entry is not None:
                opt.type(entry.text)
        except ValueError:
            text = expectation(opt, entry.text if entry else None)
            mistakes.append(_mistake(content, "DEFAULT", opt, text))
    return mistakes


def find_wrong_values(
    conf: Any, content: Content, group: str, opts: Iterable[Any]
) -> Iterator[errors.Mistake]:
    """Yield the mistakes in the values of ``opts``, each checked by itself."""
    for opt in opts:
        variable = f"OS_{group}__{opt.dest}".upper()
        entry = _find_entry(content, group, opt)
        text = os.environ.get(variable, entry.text if entry else None)
        mistake = _check_value(conf, group, opt, text)
        if mistake is None:
            continue
        if variable in os.environ:
            key = f"[{group}] {opt.dest}"
            yield errors.Mistake(f"environment variable {variable}", None, key, mistake)
        else:
            yield _mistake(content, group, opt, mistake)


def _check_value(conf: Any, group: str, opt: Any, text: str | None) -> str | None:
    try:
        value = conf[group][opt.dest]
    except (cfg.NoSuchOptError, cfg.NoSuchGroupError, cfg.TemplateSubstitutionError):
        return "has a '$' that names no option; write '$$' for a dollar sign"
    except (cfg.Error, ValueError):
        return expectation(opt, text)
    if isinstance(value, float) and not math.isfinite(value):
        return expectation(opt, text)
    if text is None:
        return None
    if not isinstance(opt.type, types.List) and "\n" in text:
        return (
            "continues in the next line, which starts with white space; if that line is an "
            "option, remove the white space"
        )
    if value is None or (value == "" and opt.default):
        return expectation(opt, "")
    return None


def option_names(sections: Iterable[tuple[str, Iterable[Any]]]) -> dict[str, set[str]]:
    """Return the names that options may have in a file, deprecated ones included, by section."""
    names: dict[str, set[str]] = {}
    for group, opts in sections:
        for opt in opts:
            for section, name in _positions(group, opt):
                names.setdefault(section, set()).add(name)
    return names


def _positions(group: str, opt: Any) -> list[tuple[str, str]]:
    """Return the (section, name) pairs of an option, first its own, then deprecated ones."""
    deprecated = [(old.group or group, old.name or opt.dest) for old in opt.deprecated_opts]
    return [(group, opt.dest), *deprecated]


def _find_entry(content: Content, group: str, opt: Any) -> OptionEntry | None:
    """Return the entry that oslo.config reads."""
    entries = (content.find(*position) for position in _positions(group, opt))
    return next((entry for entry in entries if entry is not None), None)


def _mistake(content: Content, group: str, opt: Any, text: str) -> errors.Mistake:
    for section, name in _positions(group, opt):
        if content.find(section, name) is not None:
            return content.mistake(section, name, text)
    return content.mistake(group, opt.dest, text)


def expectation(opt: Any, text: str | None) -> str:
    """Return what an option expects, and its value in the file unless that is a secret."""
    kind = opt.type
    if isinstance(kind, types.Boolean):
        expected = "expected true or false"
    elif isinstance(kind, types.Integer):
        expected = f"expected a whole number{_unit(opt)}{_bounds(kind)}"
    elif isinstance(kind, types.Float):
        expected = f"expected a number{_unit(opt)}{_bounds(kind)}"
    elif isinstance(kind, types.String) and kind.choices:
        choices = list(map(str, kind.choices))
        expected = f"expected one of {', '.join(choices)}"
        return f"{expected}{_value_text(opt, text)}{errors.suggestion(text or '', choices)}"
    else:
        expected = f"expected {opt.metavar}" if opt.metavar else "expected a value"
    return expected + _value_text(opt, text)


def _unit(opt: Any) -> str:
    return f" of {opt.metavar.lower()}" if opt.metavar else ""


def _bounds(kind: Any) -> str:
    if kind.min is not None and kind.max is not None:
        return f" from {_bound_text(kind.min)} to {_bound_text(kind.max)}"
    return "" if kind.min is None else f", at least {_bound_text(kind.min)}"


def _bound_text(number: float) -> str:
    return f"{number:,.12g}"


def _value_text(opt: Any, text: str | None) -> str:
    if text is None or opt.secret:
        return ""
    if not text:
        return ", not nothing"
    quoted = repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
    hint = "; a comment needs a line of its own" if " #" in text or " ;" in text else ""
    return f", not {quoted}{hint}"
