"""ratekit: the command for operators; sub-commands are entry points of ``ratekit.cli``."""

from __future__ import annotations

import argparse
import datetime
import difflib
import errno
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from cliff import app

from ratekit import errors, interfaces, redact
from ratekit.cmd import (
    command_manager,
    completion,
    configuration,
    instants,
    launch,
    remote_options,
    startup,
)
from ratekit.text import printable

if TYPE_CHECKING:
    from ratekit.remote.client import Client

PROG = "ratekit"
#: The exit code that shells use after a write to a closed pipe.
_BROKEN_PIPE = 141
#: The errors of writing to a full disk or a broken terminal.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF}


def main(argv: Sequence[str] | None = None, tool: Ratekit | None = None) -> int:
    """Run one command.

    :param tool: runs the command; default: one with the clock and streams of the process
    :returns: 0 done, 1 a back end did not answer, 2 an operator must correct something
    """
    if not sys.warnoptions:
        # Warnings of libraries are for programmers; an operator cannot act on them.
        warnings.simplefilter("ignore")
    startup.prepare_streams()
    try:
        code = _run(tool or Ratekit(), sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _BROKEN_PIPE
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        print(f"{PROG}: cannot write the output: {error.strerror}", file=sys.stderr)
        code = startup.FAILED
    else:
        return code
    # The interpreter flushes again when it ends, which would raise the same error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(tool: Ratekit, argv: Sequence[str]) -> int:
    try:
        startup.handle_interrupts()
        return tool.run(list(argv))
    except SystemExit as end:  # from argparse: help and wrong options
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return launch.INTERRUPTED


class Ratekit(app.App):
    """What all commands use: the configuration, the storage, the clock, and error handling.

    :param clock: returns the current time, aware, UTC
    :param stdin: where answers to questions are read; default: that of the process
    """

    NAME = PROG

    def __init__(
        self, clock: Callable[[], datetime.datetime] = startup.now, stdin: TextIO | None = None
    ) -> None:
        super().__init__(
            "Shows usage and prices; manages scopes, price rules and reprocessing.",
            startup.version(),
            command_manager.CommandManager("ratekit.cli"),
            stdin=stdin,
            deferred_help=True,
        )
        self.command_manager.add_command("complete", completion.Complete)
        self.clock = clock

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, Any] | None = None,
    ) -> argparse.ArgumentParser:
        """Return the parser of the options before the command."""
        parser = argparse.ArgumentParser(
            prog=self.NAME,
            usage="%(prog)s [options] COMMAND",
            description=description,
            add_help=False,
            # cliff looks for these options everywhere: they must not match those of a command.
            allow_abbrev=False,
        )
        parser.add_argument("--version", action="version", version=f"{self.NAME} {version}")
        parser.add_argument(
            "--config-file",
            action="append",
            default=[],
            metavar="FILE",
            help="configuration file; may be repeated; default: the file that RATEKIT_CONFIG "
            "names, or ratekit.conf in ~/.ratekit, ~, /etc/ratekit or /etc",
        )
        parser.add_argument(
            "--debug", action="store_true", help="show tracebacks and the logs of libraries"
        )
        remote_options.add_options(parser)
        parser.add_argument(
            "-h", "--help", dest="deferred_help", action="store_true", help="show this help"
        )
        return parser

    def configure_logging(self) -> None:
        """Show the logs of libraries only with ``--debug``."""
        if self.options.debug:
            logging.basicConfig(stream=self.stderr, level=logging.DEBUG)
            redact.clean_logs()
        else:
            logging.getLogger().addHandler(logging.NullHandler())

    def load_conf(self, optional: bool = False) -> Any:
        """Return the configuration.

        :param optional: use defaults if there is no file
        :raises ratekit.errors.OperatorError: it cannot be used
        """
        return configuration.load(self.NAME, self._files(), optional or self.is_remote())

    def has_conf(self) -> bool:
        """Return whether there is a configuration file, readable or not."""
        from ratekit.conf.checking import source

        return any(source.find_files(self._files(), self.NAME))

    def open_storage(self, conf: Any) -> interfaces.Storage:
        """Return the storage that ``conf`` names, or what an API has of one.

        :raises ratekit.errors.OperatorError: it cannot be used
        """
        client = self.connect()
        if client is not None:
            from ratekit.remote.storage import build_storage as build_remote

            return build_remote(client, self.note)
        from ratekit.storage.sql import build_storage

        return build_storage(conf)

    def connect(self) -> Client | None:
        """Return what sends requests to the API that options name; None: they name none.

        :raises ratekit.errors.OperatorError: the options do not fit together
        """
        if not self.is_remote():
            return None
        from ratekit.remote.client import Client
        from ratekit.remote.connection import connect

        return Client(connect(self._cloud()))

    def is_remote(self) -> bool:
        """Return whether an API is asked in place of a database."""
        return bool(self._cloud())

    def _cloud(self) -> Mapping[str, str]:
        return remote_options.read(self.options)

    def _files(self) -> list[str]:
        return [f"--config-file={path}" for path in self.options.config_file]

    def note(self, text: str) -> None:
        """Print a line to standard error, apart from the output."""
        print(f"{self.NAME}: {printable(text)}", file=self.stderr)

    def interact(self) -> None:
        """Print the help: no command was given."""
        sys.exit(self.run_subcommand(["help"]))

    def run_subcommand(self, argv: list[str]) -> int:
        """Run a command; print an error as a line for each mistake, and return an exit code."""
        try:
            with configuration.translate_errors():
                return self._run_command(argv)
        except errors.RatekitError as error:
            if self.options.debug:
                self.stderr.write(redact.clean_traceback(traceback.format_exc()))
            return startup.complain(self.NAME, error)

    def _run_command(self, argv: list[str]) -> int:
        try:
            factory, name, arguments = self.command_manager.find_command(argv)
        except ValueError:
            raise errors.OperatorError(self._unknown_text(argv)) from None
        if name == "help" and arguments and not self._completions(arguments):
            raise errors.OperatorError(self._unknown_text(arguments))
        command = factory(self, self.options, cmd_name=name)
        parser = command.get_parser(f"{self.NAME} {name}")
        return command.run(parser.parse_args(instants.attach_distances(arguments)))

    def _unknown_text(self, argv: list[str]) -> str:
        if argv[0].startswith("-"):
            return f"unknown option {argv[0]}; see {self.NAME} --help"
        words = " ".join(word for word in argv[:2] if not word.startswith("-"))
        names = [name for name, _ in self.command_manager]
        below = sorted(name for name in names if name.startswith(f"{words} "))
        if below:
            return f"incomplete command {words!r}; expected one of: {', '.join(below)}"
        candidates = self._completions(argv) or difflib.get_close_matches(words, names)
        hint = f"see {self.NAME} --help"
        if candidates:
            hint = f"did you mean {', '.join(map(repr, candidates))}?"
        return f"unknown command {words!r}; {hint}"

    def _completions(self, argv: list[str]) -> list[str]:
        return sorted(name for name, _ in self.command_manager if name.startswith(argv[0]))
