"""ratekit.conf, checked as a whole: every mistake with its file, its line and what is expected."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any

from oslo_config import cfg, types

from ratekit import conf as options
from ratekit import errors
from ratekit.conf import collector_gnocchi, database, fetcher, rating
from ratekit.conf.checking import credentials
from ratekit.conf.checking.source import Content, read_again

#: Sections that know more than types and bounds.
_PARTICULAR = (database, fetcher, collector_gnocchi, rating)


def mistakes(conf: Any, content: Content, rates: bool) -> list[errors.Mistake]:
    """Return everything that is wrong with the options of ratekit's own sections.

    :param conf: a loaded ``ConfigOpts`` with ratekit's options
    :param content: the files that it was loaded from
    :param rates: whether it is to rate, which takes credentials as well
    """
    found = [
        mistake
        for group, opts in options.list_opts()
        for mistake in wrong_values(conf, content, group, opts)
    ]
    # What is built on these options would only repeat what is wrong with them.
    if not found:
        for section in _PARTICULAR if rates else (database,):
            for group, name, text in section.refusals(conf):
                found.append(content.mistake(group, name, text))
    if rates:
        found += _credentials(conf, content, {mistake.key for mistake in found})
    return sorted(found, key=lambda one: (one.file, one.line or 0))


def in_default(content: Content, opts: Iterable[Any]) -> list[errors.Mistake]:
    """Return what is wrong in [DEFAULT] with options that the command line has as well.

    oslo.config ends the process by itself when the file has a wrong value for one of these.
    """
    found = []
    for opt in opts:
        entry = content.find("DEFAULT", names(opt))
        try:
            if entry is not None:
                opt.type(entry.text)
        except ValueError:
            text = expected(opt, entry.text if entry else None)
            found.append(content.mistake("DEFAULT", opt.dest, text, *names(opt)))
    return found


def place(conf: Any, group: str, name: str, expected: str) -> errors.Mistake:
    """Return a mistake of an option, with the file and line that it stands on.

    :param conf: a loaded ``ConfigOpts``; its files are read once more
    :raises ratekit.errors.BadInput: the files can no longer be read
    """
    return read_again(conf).mistake(group, name, expected)


def wrong_values(
    conf: Any, content: Content, group: str, opts: Iterable[Any]
) -> Iterator[errors.Mistake]:
    """Yield what is wrong with the values of ``opts``, each by itself."""
    for opt in opts:
        if opt.dest not in conf[group]:
            continue  # of a plug-in that is not in use
        variable = f"OS_{group}__{opt.dest}".upper()
        entry = content.find(group, names(opt))
        raw = os.environ.get(variable, entry.text if entry else None)
        text = _refusal(conf, group, opt, raw)
        if text is None:
            continue
        if variable in os.environ:
            key = f"[{group}] {opt.dest}"
            yield errors.Mistake(f"environment variable {variable}", None, key, text)
        else:
            yield content.mistake(group, opt.dest, text, *names(opt))


def _refusal(conf: Any, group: str, opt: Any, raw: str | None) -> str | None:
    try:
        value = conf[group][opt.dest]
    except (cfg.NoSuchOptError, cfg.NoSuchGroupError, cfg.TemplateSubstitutionError):
        return "has a '$' that names no option; write '$$' for a dollar sign"
    except (cfg.Error, ValueError):
        return expected(opt, raw)
    if isinstance(value, float) and not math.isfinite(value):
        return expected(opt, raw)
    if raw is None:
        return None
    if not isinstance(opt.type, types.List) and "\n" in raw:
        return (
            "goes on in the next line, which begins with a blank; take the blanks away "
            "there if it is an option of its own"
        )
    if value is None or (value == "" and opt.default):
        return expected(opt, "")
    return None


def names(opt: Any) -> list[str]:
    """Return the names that an option may have in a file, its own first."""
    return [opt.dest, *(one.name for one in opt.deprecated_opts)]


def expected(opt: Any, raw: str | None) -> str:
    """Say what an option takes, and what was given unless that is a secret."""
    kind = opt.type
    if isinstance(kind, types.Boolean):
        text = "expected true or false"
    elif isinstance(kind, types.Integer):
        text = f"expected a whole number{_unit(opt)}{_bounds(kind)}"
    elif isinstance(kind, types.Float):
        text = f"expected a number{_unit(opt)}{_bounds(kind)}"
    elif isinstance(kind, types.String) and kind.choices:
        text = f"expected one of {', '.join(map(str, kind.choices))}"
        return f"{text}{_but(opt, raw)}{errors.nearest(raw or '', map(str, kind.choices))}"
    else:
        text = f"expected {opt.metavar}" if opt.metavar else "expected a value"
    return text + _but(opt, raw)


def _unit(opt: Any) -> str:
    return f" of {opt.metavar.lower()}" if opt.metavar else ""


def _bounds(kind: Any) -> str:
    if kind.min is not None and kind.max is not None:
        return f" from {_plain(kind.min)} to {_plain(kind.max)}"
    return "" if kind.min is None else f", at least {_plain(kind.min)}"


def _plain(number: float) -> str:
    return f"{number:,.12g}"


def _but(opt: Any, raw: str | None) -> str:
    if raw is None or opt.secret:
        return ""
    if not raw:
        return ", not nothing"
    shown = repr(raw if len(raw) <= 60 else raw[:57] + "...")
    hint = "; a comment needs a line of its own" if " #" in raw or " ;" in raw else ""
    return f", not {shown}{hint}"


def with_credentials(conf: Any) -> list[str]:
    """Return the sections in use that say how to authenticate at Keystone."""
    found: list[str] = []
    for section in (fetcher, collector_gnocchi):
        # Whether it is in use may itself be wrong, and told as such.
        with contextlib.suppress(cfg.Error):
            found += section.authenticated(conf)
    return found


def _credentials(conf: Any, content: Content, wrong: set[str]) -> list[errors.Mistake]:
    found: list[errors.Mistake] = []
    sections = dict.fromkeys(
        credentials.section(conf, group, content, found) for group in with_credentials(conf)
    )
    for section in sections:
        if section is None:
            continue
        opts, more = credentials.mistakes(conf, section, content)
        found += wrong_values(conf, content, section, opts)
        found += more
    return [mistake for mistake in dict.fromkeys(found) if mistake.key not in wrong]
