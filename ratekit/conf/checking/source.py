"""Configuration files with line numbers, which oslo.config does not keep."""

from __future__ import annotations

import argparse
import dataclasses
import glob
import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from oslo_config import cfg, iniparser

from ratekit import bounded_file, errors

_MAX_BYTES = 4 << 20
#: Names the configuration file where the command line does not.
VARIABLE = "RATEKIT_CONFIG"
#: By oslo.config's messages. These show no line, because it may contain a secret.
_MALFORMED = {
    "No ':' or '=' found in assignment": "expected 'option = value', '[section]' or '# comment'",
    "Key cannot be empty": "expected the name of an option before '='",
    "Unexpected continuation line": "starts with white space but continues no option; "
    "remove the white space",
    "Invalid section (must end with ])": "expected '[section]' and nothing after it",
    "Empty section name": "expected the name of a section between the brackets",
}


@dataclasses.dataclass(frozen=True, slots=True)
class OptionEntry:
    """An option as a file gives it.

    :ivar line: its first line, counted from 1
    :ivar text: its value as written; may have several lines
    """

    file: str
    line: int
    group: str
    name: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """The content of the configuration files, in their order.

    :ivar files: paths as in the command line
    :ivar entries: all options; the last of those with the same name applies
    :ivar sections: (file, line, name as written) of each header
    """

    files: tuple[str, ...]
    entries: tuple[OptionEntry, ...]
    sections: tuple[tuple[str, int, str], ...]

    def find(self, group: str, name: str) -> OptionEntry | None:
        """Return the entry that applies to an option."""
        for entry in reversed(self.entries):
            if normal(entry.group) == normal(group) and entry.name == name:
                return entry
        return None

    def has(self, group: str) -> bool:
        """Return whether any file has the section."""
        return any(normal(name) == normal(group) for _, _, name in self.sections)

    def position(self, mistake: errors.Mistake) -> tuple[int, int]:
        """Return where a mistake is, to sort mistakes in the order of files and lines."""
        return self.files.index(mistake.file), mistake.line or 0

    def mistake(self, group: str, name: str, expected: str) -> errors.Mistake:
        """Return a mistake at the option's line, else at its section's, else at the last file."""
        key = f"[{group}] {name}" if name else f"[{group}]"
        entry = self.find(group, name)
        if entry is not None:
            return errors.Mistake(entry.file, entry.line, key, expected)
        for file, line, section in reversed(self.sections):
            if normal(section) == normal(group):
                return errors.Mistake(file, line, key, expected)
        return errors.Mistake(self.files[-1] if self.files else "ratekit.conf", None, key, expected)


def normal(group: str) -> str:
    """Return a section's name in the case in which oslo.config compares it."""
    return group if group == "DEFAULT" else group.lower()


def find_files(argv: Sequence[str] | None, prog: str) -> tuple[list[str], list[str]]:
    """Return the configuration files and folders of a command.

    Those of the command line, else the file that the environment names, else those in the usual
    folders of OpenStack services: ``~/.ratekit``, ``~``, ``/etc/ratekit``, ``/etc``.

    :param argv: the process's own by default
    """
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--config-file", action="append", default=[])
    parser.add_argument("--config-dir", action="append", default=[])
    try:
        options, _ = parser.parse_known_args(sys.argv[1:] if argv is None else list(argv))
    except argparse.ArgumentError:
        return [], []  # reported when the whole command line is parsed
    if options.config_file or options.config_dir:
        return options.config_file, options.config_dir
    if os.environ.get(VARIABLE):
        return [os.environ[VARIABLE]], []
    return (
        cfg.find_config_files(project="ratekit", prog=prog),
        cfg.find_config_dirs(project="ratekit", prog=prog),
    )


def read(files: Iterable[str], folders: Iterable[str] = ()) -> Content:
    """Read files, and files in ``folders`` whose names end in ``.conf``.

    :raises ratekit.errors.BadInput: with each file that is missing, unreadable or malformed
    """
    parsers: list[_Parser] = []
    mistakes: list[errors.Mistake] = []
    paths = list(files)
    for folder in folders:
        if not os.path.isdir(os.path.expanduser(folder)):
            mistakes.append(errors.Mistake(folder, None, "", "cannot be read: no such folder"))
        paths += sorted(glob.glob(os.path.join(os.path.expanduser(folder), "*.conf")))
    for path in paths:
        parser = _Parser(path)
        mistake = parser.parse_file()
        parsers.append(parser)
        mistakes += [mistake] if mistake else []
    if mistakes:
        raise errors.BadInput(mistakes)
    return Content(
        tuple(paths),
        tuple(entry for parser in parsers for entry in parser.entries),
        tuple(section for parser in parsers for section in parser.sections),
    )


def read_again(conf: Any) -> Content:
    """Read the files from which ``conf``, a ``ConfigOpts``, was loaded.

    :raises: as :func:`read`
    """
    return read(conf.config_file or (), conf.config_dir or ())


class _Parser(iniparser.BaseParser):
    """Parses one file in oslo.config's format."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._section = ""
        self._first_line = 0
        self.entries: list[OptionEntry] = []
        self.sections: list[tuple[str, int, str]] = []

    def parse_file(self) -> errors.Mistake | None:
        """Read the file; return why it cannot be used, or None."""
        try:
            text = bounded_file.read_text(os.path.expanduser(self._path), _MAX_BYTES)
            self.parse(io.StringIO(text, newline=None).readlines())
        except errors.BadInput as error:
            return dataclasses.replace(error.mistakes[0], file=self._path)
        except iniparser.ParseError as error:
            expected = _MALFORMED.get(error.msg, error.msg)
            return errors.Mistake(self._path, error.lineno, "", expected)
        return None

    def new_section(self, section: str) -> None:
        """Record a header."""
        self._section = section
        self.sections.append((self._path, self.lineno, section))

    def assignment(self, key: str, value: list[str]) -> None:
        """Record an option; oslo.config calls this at the next option or header."""
        if not self._section:
            raise self.parse_exc(
                "expected a [section] before the first option", self._first_line, ""
            )
        text = "\n".join(value)
        self.entries.append(OptionEntry(self._path, self._first_line, self._section, key, text))

    def _split_key_value(self, line: str) -> Any:
        self._first_line = self.lineno
        return super()._split_key_value(line)
