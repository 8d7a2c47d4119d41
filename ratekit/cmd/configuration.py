"""Loading the configuration: parse the files, load the plug-ins they name, check everything."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ratekit import errors, redact
from ratekit.cmd import startup

if TYPE_CHECKING:
    from ratekit.conf.checking.source import Content

LOG = logging.getLogger(__name__)

#: Log levels for libraries that log more than an operator needs.
_QUIET = (
    "alembic=WARN",
    "keystoneauth=ERROR",
    "oslo_service.backend=WARN",
    "stevedore=CRITICAL",
)


def load(prog: str, argv: Sequence[str] | None) -> Any:
    """Return the configuration for a command that does not rate; imports no plug-in.

    A plug-in's options are checked when the command builds it.

    :param argv: names the files
    :raises ratekit.errors.BadInput: with every mistake in the core's options
    :raises ratekit.errors.OperatorError: there are no files
    """
    from ratekit.conf.checking import source, values

    files, folders = source.find_files(argv, prog)
    content = source.read(files, folders)
    conf = _parse(prog, [], files, folders)
    values.require_none(values.find_mistakes(conf, content))
    return conf


def load_for_rating(
    prog: str, argv: Sequence[str] | None, cli_opts: Sequence[Any] = (), logs: bool = False
) -> Any:
    """Return the configuration for a process that rates, with plug-ins' options.

    It may be called again at any time, to read files that have changed.

    :param argv: the whole command line
    :param cli_opts: options of the command line only
    :param logs: set up logging, and log which options nothing reads
    :raises ratekit.errors.BadInput: with every mistake in the files
    :raises ratekit.errors.OperatorError: there are no files
    """
    from ratekit import composition
    from ratekit.conf.checking import credentials, source, unknown, values

    files, folders = source.find_files(argv, prog)
    content = source.read(files, folders)
    mistakes = values.find_default_mistakes(content, unknown.library_opts("oslo.log"))
    mistakes += _find_misplaced(content, cli_opts)
    if mistakes:
        # oslo.config would end the process at the first of these, with the others unchecked.
        conf = _parse(prog, [], files, folders)
    else:
        conf = _parse(prog, argv, files, folders, cli_opts, logs=True)
    plugins, unusable = composition.load_plugins(conf, content)
    mistakes += values.find_mistakes(conf, content)
    for plugin in plugins:
        mistakes += values.find_plugin_mistakes(conf, content, plugin)
    wrong = {mistake.key for mistake in mistakes}
    mistakes += credentials.find_mistakes(conf, content, plugins, wrong)
    values.require_none([*mistakes, *unusable, *_check_expression(conf, content)])
    if logs:
        _set_up_logs(conf)
        for warning in unknown.warnings(conf, content, plugins):
            LOG.warning("%s", warning)
    return conf


def _parse(
    prog: str,
    argv: Sequence[str] | None,
    files: Collection[str],
    folders: Collection[str],
    cli_opts: Sequence[Any] = (),
    logs: bool = False,
) -> Any:
    """Parse the command line, and files that are readable and well-formed."""
    from oslo_config import cfg
    from oslo_log import log

    from ratekit import conf as core

    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    conf.register_cli_opts(cli_opts)
    if logs:
        log.register_options(conf)
    with translate_errors():
        conf(
            argv,
            project="ratekit",
            prog=prog,
            version=startup.version(),
            usage="%(prog)s [options]",
            default_config_files=list(files),
            default_config_dirs=list(folders),
        )
    if not files and not folders:
        raise errors.OperatorError(
            "no configuration file: expected /etc/ratekit/ratekit.conf or --config-file FILE"
        )
    return conf


def _find_misplaced(content: Content, cli_opts: Sequence[Any]) -> list[errors.Mistake]:
    """Return options of the command line in [DEFAULT], where oslo.config would read them."""
    names = [name for opt in cli_opts for name in dict.fromkeys((opt.name, opt.dest))]
    return [
        content.mistake("DEFAULT", name, "is for the command line only; remove it")
        for name in names
        if content.find("DEFAULT", name) is not None
    ]


def _check_expression(conf: Any, content: Content) -> Iterator[errors.Mistake]:
    """Yield the mistake in the default skip expression."""
    from ratekit.files import skip_expression

    group, name = "orchestrator", "skip_datapoints_expression"
    try:
        skip_expression.apply_default((), conf[group][name])
    except ValueError as error:
        yield content.mistake(group, name, str(error))


def _set_up_logs(conf: Any) -> None:
    from oslo_log import log

    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *_QUIET])
    conf.set_default("use_stderr", True)
    try:
        log.setup(conf, "ratekit")
    except (OSError, log.LogConfigError) as error:
        raise errors.OperatorError(f"[DEFAULT] logging cannot be set up: {error}") from None
    redact.clean_logs()


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Turn oslo.config's errors into ratekit's, with a message of one line."""
    from oslo_config import cfg

    try:
        yield
    except cfg.Error as error:
        raise errors.OperatorError(" ".join(str(error).split())) from None
