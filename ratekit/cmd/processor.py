"""ratekit-processor: the daemon."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

PROG = "ratekit-processor"


def main(argv: Sequence[str] | None = None) -> int:
    """Rate until told to stop; with --once, all that is due.

    :returns: 0 all rated, 1 something failed, 2 bad configuration
    """
    # Before anything else is imported: sockets and locks must be green from the start.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import eventlet

        eventlet.monkey_patch()
    from oslo_config import cfg

    from ratekit import errors
    from ratekit.cmd import common

    once = cfg.BoolOpt("once", default=False, help="Rate all that is due, then exit.")
    try:
        with common.readable():
            conf = common.load_conf(PROG, argv, [once], logs=True)
            return _once(conf) if conf.once else _forever(conf)
    except errors.RatekitError as error:
        return common.complain(PROG, error)
    except KeyboardInterrupt:
        print(f"{PROG}: interrupted; what was rated is stored", file=sys.stderr)
        return 130


def _once(conf: Any) -> int:
    from ratekit import service
    from ratekit.cmd import common, progress

    with progress.shown() as report:
        outcome = service.build(conf, report, stopping=lambda: False).run_pass(patient=False)
    print(
        f"{PROG}: {outcome.frames:,} frames in {outcome.periods:,} scope periods"
        + (f"; {outcome.failed} scopes failed, see the log" if outcome.failed else ""),
        file=sys.stderr,
    )
    return common.FAILED if outcome.failed else 0


def _forever(conf: Any) -> int:
    from oslo_service import backend
    from oslo_service import service as oslo_service

    from ratekit import service
    from ratekit.cmd import progress

    backend.init_backend(backend.BackendType.EVENTLET)
    with progress.shown() as report:
        processor = service.Processor(conf, report)
        oslo_service.launch(conf, processor, workers=1, restart_method="mutate").wait()
    return 0
