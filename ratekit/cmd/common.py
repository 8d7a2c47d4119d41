"""What all commands share: reading the configuration, and ending politely."""

from __future__ import annotations

import contextlib
import datetime
import gc
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ratekit import errors

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
    prog: str, argv: Sequence[str] | None, cli_opts: Sequence[Any] = (), logs: bool = False
) -> Any:
    """Return the configuration that ``argv`` and the files it names amount to.

    :param cli_opts: options that are given on the command line only
    :param logs: set logging up by the configuration
    :raises ratekit.errors.OperatorError: a file is missing or cannot be used
    """
    from oslo_config import cfg
    from oslo_log import log

    from ratekit import conf as options

    conf = cfg.ConfigOpts()
    log.register_options(conf)
    options.register_opts(conf)
    conf.register_cli_opts(cli_opts)
    with readable():
        conf(argv, project="ratekit", prog=prog, version=version())
        if not conf.config_file and not conf.config_dir:
            raise errors.OperatorError(
                "no configuration file: expected /etc/ratekit/ratekit.conf or --config-file FILE"
            )
        if logs:
            log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *_QUIET])
            conf.set_default("use_stderr", True)
            log.setup(conf, "ratekit")
    return conf


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
    for line in str(error).splitlines():
        print(f"{prog}: {line}", file=sys.stderr)
    return BAD_INPUT if isinstance(error, errors.OperatorError) else FAILED
