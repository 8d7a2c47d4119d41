"""Loading the configuration: parse the files, load the plug-ins they name, check everything."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ratekit import errors, redact
from ratekit.cmd import journal, startup

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


def load(prog: str, argv: Sequence[str] | None, optional: bool = False) -> Any:
    """Return the configuration for a command that does not rate; imports no plug-in.

    A plug-in's options are checked when the command builds it. Options of the core that nothing
    reads are printed as warnings: the default of the option that was meant would apply. So are
    secrets that every user can read.

    :param argv: names the files
    :param optional: use defaults if there is no file
    :raises ratekit.errors.BadInput: with every mistake in the core's options
    :raises ratekit.errors.OperatorError: there are no files
    """
    from ratekit.conf.checking import exposure, source, unknown, values

    files, folders = source.find_files(argv, prog)
    content = source.read(files, folders)
    if not optional:
        _require_files(files, folders)
    conf = _parse(prog, [], files, folders)
    misspelt = unknown.find_misspelt_core(content)
    _require_none(values.find_mistakes(conf, content), misspelt)
    for mistake in [*misspelt, *exposure.find_exposed(content)]:
        startup.warn(prog, str(mistake))
    return conf


def load_for_rating(
    prog: str,
    argv: Sequence[str] | None,
    cli_opts: Sequence[Any] = (),
    logs: bool = False,
    warns: bool = True,
) -> Any:
    """Return the configuration for a process that rates, with plug-ins' options.

    It may be called again at any time, to read files that have changed.

    :param argv: the whole command line
    :param cli_opts: options of the command line only
    :param logs: set up logging
    :param warns: log which options nothing reads, and which secrets every user can read
    :raises ratekit.errors.BadInput: with every mistake in the files
    :raises ratekit.errors.OperatorError: there are no files
    """
    from ratekit import composition
    from ratekit.conf.checking import option_catalog, source, unknown, values

    files, folders = source.find_files(argv, prog)
    content = source.read(files, folders)
    mistakes = values.find_default_mistakes(content, option_catalog.library_opts("oslo.log"))
    mistakes += _find_misplaced(content, cli_opts)
    if mistakes:
        # oslo.config would end the process at the first of these, with the others unchecked.
        conf = _parse(prog, [], files, folders)
    else:
        # Before files are required: --help and --version end here.
        conf = _parse(prog, argv, files, folders, cli_opts, logs=True)
    _require_files(files, folders)
    plugins, unusable = composition.load_plugins(conf, content)
    mistakes += _find_mistakes(conf, content, plugins)
    names = option_catalog.read_names(conf, plugins)
    misspelt = unknown.find_misspelt(content, names)
    if unusable:
        # The sections of plug-ins that could not be loaded are not known.
        misspelt = unknown.remove_plugins(misspelt)
    _require_none([*mistakes, *unusable], misspelt)
    if logs:
        _set_up_logs(conf)
    if warns:
        _log_warnings(content, [*misspelt, *unknown.find_foreign(content, names)])
    return conf


def load_for_serving(prog: str, argv: Sequence[str]) -> Any:
    """Return the configuration for a process that serves the API, with logging set up.

    :param argv: the command line's options
    :raises ratekit.errors.BadInput: with every mistake in the files
    :raises ratekit.errors.OperatorError: there are no files
    """
    from ratekit import plugins
    from ratekit.conf import api
    from ratekit.conf.checking import option_catalog, source, unknown, values
    from ratekit.conf.checking.middleware import Middleware

    files, folders = source.find_files(argv, prog)
    content = source.read(files, folders)
    mistakes = values.find_default_mistakes(content, option_catalog.library_opts("oslo.log"))
    conf = _parse(prog, [] if mistakes else argv, files, folders, logs=True)
    _require_files(files, folders)
    plugins.register_options(conf, Middleware)
    mistakes += _find_mistakes(conf, content, [Middleware])
    names = option_catalog.read_serving_names(conf)
    misspelt = unknown.remove_plugins(unknown.find_misspelt(content, names), api.MIDDLEWARE)
    _require_none(mistakes, misspelt)
    _set_up_logs(conf)
    _log_warnings(content, [*misspelt, *unknown.find_foreign(content, names)])
    return conf


def _find_mistakes(conf: Any, content: Content, plugins: Sequence[Any]) -> list[errors.Mistake]:
    """Return the mistakes in the values of the core's options and of the plug-ins'."""
    from ratekit.conf.checking import credentials, values

    mistakes = values.find_mistakes(conf, content)
    for plugin in plugins:
        mistakes += values.find_plugin_mistakes(conf, content, plugin)
    wrong = {mistake.key for mistake in mistakes}
    mistakes += credentials.find_mistakes(conf, content, plugins, wrong)
    return [*mistakes, *_check_expression(conf, content)]


def _log_warnings(content: Content, unread: Collection[errors.Mistake]) -> None:
    """Log options that nothing reads, and secrets that every user can read."""
    from ratekit.conf.checking import exposure

    warnings = [*unread, *exposure.find_exposed(content)]
    for warning in sorted(warnings, key=lambda mistake: content.position(mistake)):
        LOG.warning("%s", warning)


def _require_none(
    mistakes: Collection[errors.Mistake], misspelt: Collection[errors.Mistake]
) -> None:
    """Require that there are no mistakes; list misspelt options among them if there are.

    :raises ratekit.errors.BadInput: with each mistake
    """
    from ratekit.conf.checking import values

    wrong = {mistake.key for mistake in mistakes}
    # Without a usable auth_type, what its section may have is unknown.
    unclear = {key.removesuffix(" auth_type") for key in wrong if key.endswith(" auth_type")}
    extra = [
        entry
        for entry in misspelt
        if entry.key not in wrong and entry.key.partition(" ")[0] not in unclear
    ]
    values.require_none([*mistakes, *extra] if mistakes else ())


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

    from ratekit import conf as core

    conf = cfg.ConfigOpts()
    core.register_opts(conf)
    conf.register_cli_opts(cli_opts)
    if logs:
        from oslo_log import log

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
    return conf


def _require_files(files: Collection[str], folders: Collection[str]) -> None:
    if not files and not folders:
        raise errors.OperatorError(
            "no configuration file: expected /etc/ratekit/ratekit.conf, --config-file FILE "
            "or RATEKIT_CONFIG=FILE in the environment"
        )


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
    journal.shorten_lines(conf)
    try:
        log.setup(conf, "ratekit")
    except (OSError, log.LogConfigError) as error:
        raise errors.OperatorError(f"[DEFAULT] logging cannot be set up: {error}") from None
    journal.mark_lines()
    redact.clean_logs()


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Turn oslo.config's errors into ratekit's, with a message of one line."""
    from oslo_config import cfg

    try:
        yield
    except cfg.Error as error:
        raise errors.OperatorError(" ".join(str(error).split())) from None
