"""What all commands share: reading the configuration, and ending politely."""

from __future__ import annotations

import contextlib
import datetime
import gc
import getpass
import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ratekit import errors, redact

LOG = logging.getLogger(__name__)

#: Exit codes, as design section 9 names them.
FAILED = 1
BAD_INPUT = 2

#: Libraries that tell more than an operator wants to know.
_QUIET = (
    "alembic=WARN",
    "keystoneauth=ERROR",
    "oslo_service.backend=WARN",
    "stevedore=CRITICAL",
)


def load_conf(
    prog: str,
    argv: Sequence[str] | None,
    cli_opts: Sequence[Any] = (),
    logs: bool = False,
    rates: bool = True,
) -> Any:
    """Return the configuration that ``argv`` and the files it names amount to, checked.

    May be called again at any time, for files that have changed.

    :param cli_opts: options that are given on the command line only
    :param logs: set logging up by the configuration, and log what nothing reads
    :param rates: it is for rating: credentials and plug-ins are checked as well
    :raises ratekit.errors.BadInput: with every mistake in the files
    :raises ratekit.errors.OperatorError: there are none
    """
    from ratekit.conf.checking import source, unknown, values

    files, folders = source.given(argv, prog)
    content = source.read(files, folders)
    wrong = []
    if rates:
        wrong = values.in_default(content, unknown.library_opts("oslo.log"))
    wrong += _out_of_place(content, cli_opts)
    # With a wrong value there, oslo.config would end the process before the rest is checked.
    conf = _parsed(prog, argv, [] if wrong else cli_opts, rates and not wrong, (files, folders))
    wrong += values.mistakes(conf, content, rates)
    wrong += _unknown_plugins(conf, content, rates)
    wrong += _wrong_expression(conf, content) if rates else []
    if wrong:
        raise errors.BadInput(
            sorted(dict.fromkeys(wrong), key=lambda one: (one.file, one.line or 0))
        )
    if logs:
        _set_up_logs(conf)
        for warning in unknown.warnings(conf, content):
            LOG.warning("%s", warning)
    return conf


def _parsed(
    prog: str,
    argv: Sequence[str] | None,
    cli_opts: Sequence[Any],
    logs: bool,
    sources: tuple[Sequence[str], Sequence[str]],
) -> Any:
    """Let oslo.config read the command line and files that have been found readable."""
    from oslo_config import cfg
    from oslo_log import log

    from ratekit import conf as options

    files, folders = sources
    conf = cfg.ConfigOpts()
    options.register_opts(conf)
    conf.register_cli_opts(cli_opts)
    if logs:
        log.register_options(conf)
    else:
        argv = []
    with readable():
        conf(
            argv,
            project="ratekit",
            prog=prog,
            version=version(),
            usage="%(prog)s [options]",
            default_config_files=list(files),
            default_config_dirs=list(folders),
        )
    if not files and not folders:
        raise errors.OperatorError(
            "no configuration file: expected /etc/ratekit/ratekit.conf or --config-file FILE"
        )
    return conf


def _out_of_place(content: Any, cli_opts: Sequence[Any]) -> list[errors.Mistake]:
    """Return the options of the command line that the files give, where oslo.config reads them."""
    names = [name for opt in cli_opts for name in dict.fromkeys((opt.name, opt.dest))]
    text = "is for the command line only; take it out"
    return [
        content.mistake("DEFAULT", name, text)
        for name in names
        if content.find("DEFAULT", [name]) is not None
    ]


def _set_up_logs(conf: Any) -> None:
    from oslo_log import log

    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *_QUIET])
    conf.set_default("use_stderr", True)
    try:
        log.setup(conf, "ratekit")
    except (OSError, log.LogConfigError) as error:
        raise errors.OperatorError(f"[DEFAULT] logging cannot be set up: {error}") from None
    redact.redact_logs()


def _unknown_plugins(conf: Any, content: Any, rates: bool) -> list[errors.Mistake]:
    """Return what is wrong with the names of plug-ins."""
    from oslo_config import cfg

    from ratekit import plugins

    named: list[tuple[str, str]] = []
    for namespace in plugins.OPTIONS if rates else [plugins.STORAGE]:
        group, name = plugins.OPTIONS[namespace]
        # What is wrong with the option itself has been said.
        with contextlib.suppress(cfg.Error):
            value = conf[group][name]
            words = [value] if isinstance(value, str) else value
            named += [(namespace, word) for word in words]
    return [
        content.mistake(*plugins.OPTIONS[namespace], text)
        for namespace, text in plugins.refusals(named)
    ]


def operator() -> str:
    """Return who runs this process, for records: ``user@host``."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _wrong_expression(conf: Any, content: Any) -> list[errors.Mistake]:
    """Return what is wrong with the expression that all metrics go by."""
    from ratekit.files import skip_expression

    group, name = "orchestrator", "skip_datapoints_expression"
    try:
        skip_expression.by_default((), conf[group][name])
    except ValueError as error:
        return [content.mistake(group, name, str(error))]
    return []


def now() -> datetime.datetime:
    """Return the present, aware, UTC."""
    return datetime.datetime.now(datetime.UTC)


def spare_garbage_collection() -> None:
    """Keep Python from looking for cycles where there are none.

    A batch is hundreds of thousands of small containers without a cycle among them; looking
    through them, and through all that was imported, took a third of ratekit's own time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def version() -> str:
    """Return the installed version."""
    from importlib import metadata

    return metadata.version("ratekit")


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turn oslo.config's errors into one line for the operator."""
    from oslo_config import cfg

    try:
        yield
    except cfg.Error as error:
        raise errors.OperatorError(" ".join(str(error).split())) from None


def complain(prog: str, error: errors.RatekitError) -> int:
    """Print an error as one line a mistake; return the exit code it means."""
    for line in redact.redacted(str(error)).splitlines():
        print(f"{prog}: {line}", file=sys.stderr)
    return BAD_INPUT if isinstance(error, errors.OperatorError) else FAILED
