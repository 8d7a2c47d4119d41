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
    # Recorded, not ignored: eventlet's notice about its own age defies filters.
    with warnings.catch_warnings(record=True):
        import eventlet

        eventlet.monkey_patch()
    from oslo_config import cfg

    from ratekit import errors
    from ratekit.cmd import common

    once = cfg.BoolOpt("once", default=False, help="Rate all that is due, then exit.")
    try:
        with common.readable():
            conf = common.load_conf(PROG, argv, [once], logs=True)
            common.spare_garbage_collection()
            return _once(conf) if conf.once else _forever(conf)
    except errors.RatekitError as error:
        return common.complain(PROG, error)
    except KeyboardInterrupt:
        print(f"{PROG}: interrupted; what was rated is stored", file=sys.stderr)
        return 130


def _once(conf: Any) -> int:
    from ratekit import composition, concurrency, errors
    from ratekit.cmd import common, progress

    with progress.shown() as report:
        orchestrator = composition.build(
            conf, concurrency.side_by_side, report, stopping=lambda: False, clock=common.now
        )
        try:
            outcome = orchestrator.run_pass(patient=False)
        except errors.RatekitError as error:
            # The configuration could be used; what failed then may go well next time.
            common.complain(PROG, error)
            return common.FAILED
    scopes = "1 scope" if outcome.failed == 1 else f"{outcome.failed:,} scopes"
    failed = f"; not rated to the end: {scopes}, see the log" if outcome.failed else ""
    print(
        f"{PROG}: {outcome.frames:,} frames in {outcome.periods:,} scope periods{failed}",
        file=sys.stderr,
    )
    return common.FAILED if outcome.failed else 0


def _forever(conf: Any) -> int:
    from oslo_service import backend
    from oslo_service import service as oslo_service

    from ratekit import composition, concurrency, service
    from ratekit.cmd import common, progress

    backend.init_backend(backend.BackendType.EVENTLET)
    stop = concurrency.StopEvent()
    with progress.shown() as report:
        orchestrator = composition.build(
            conf, concurrency.side_by_side, report, stopping=stop.is_set, clock=common.now
        )
        processor = service.Processor(
            orchestrator,
            composition.build_calendar(conf),
            stop,
            conf.orchestrator.retry_seconds,
            common.now,
        )
        oslo_service.launch(conf, processor, workers=1, restart_method="mutate").wait()
    return 0
