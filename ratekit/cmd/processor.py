"""ratekit-processor: the daemon."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ratekit import interfaces
    from ratekit.composition import Parts
    from ratekit.daemon.service import Processor
    from ratekit.daemon.status_board import StatusBoard
    from ratekit.processing.cycle import Progress
    from ratekit.processing.rater import Settings

PROG = "ratekit-processor"
LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Rate until told to stop; with --once, all that is due, and all tasks.

    :returns: 0 all rated, 1 something failed, 2 bad configuration
    """
    # Before anything else is imported: sockets and locks must be green from the start, and
    # psycopg must wait in Python, where other green threads get their turn.
    os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")
    # Recorded, not ignored: eventlet's notice about its own age defies filters.
    with warnings.catch_warnings(record=True):
        import eventlet

        eventlet.monkey_patch()

    from ratekit import errors
    from ratekit.cmd import startup

    try:
        with startup.readable():
            conf = _load(argv, logs=True)
            startup.spare_garbage_collection()
            return _once(conf) if conf.once else _forever(conf, argv)
    except errors.RatekitError as error:
        return startup.complain(PROG, error)
    except KeyboardInterrupt:
        _say_farewell()
        return 130


def _load(argv: Sequence[str] | None, logs: bool) -> Any:
    from oslo_config import cfg

    from ratekit import errors
    from ratekit.cmd import startup

    once = cfg.BoolOpt(
        "once", default=False, help="Rate all that is due, carry out all tasks, then exit."
    )
    expired = cfg.BoolOpt(
        "allow-expired",
        default=False,
        help="With --once: rate what is there of data older than Gnocchi keeps in full.",
    )
    conf = startup.load_conf(PROG, argv, [once, expired], logs=logs)
    if conf.allow_expired:
        if not conf.once:
            raise errors.OperatorError("--allow-expired is for one run: give --once as well")
        conf.set_override("allow_expired", True, group="collector_gnocchi")
    return conf


def _say_farewell() -> None:
    print(f"{PROG}: interrupted; what was rated is stored", file=sys.stderr)


def _once(conf: Any) -> int:
    from ratekit import composition, concurrency, errors
    from ratekit.cmd import startup
    from ratekit.cmd.output import progress
    from ratekit.processing.cycle import RunContext

    storage = composition.build_storage(conf)
    with progress.shown() as report:
        context = RunContext(startup.now, report, going_on=lambda: True, chance=random.random)
        parts = composition.build(
            conf, storage, context, concurrency.side_by_side, collects=_collects(conf)
        )
        codes = []
        for work in (_rated, _reprocessed):
            try:
                codes.append(work(parts))
            except errors.RatekitError as error:
                # The configuration could be used; what failed then may go well next time.
                startup.complain(PROG, error)
                codes.append(startup.FAILED)
    return max(codes)


def _rated(parts: Parts) -> int:
    """Rate all that is due; return the exit code."""
    from ratekit.cmd import startup

    outcome = parts.orchestrator.run_cycle(patient=False)
    scopes = "1 scope" if outcome.failed == 1 else f"{outcome.failed:,} scopes"
    failed = f"; not rated to the end: {scopes}, see the log" if outcome.failed else ""
    print(
        f"{PROG}: {outcome.frames:,} frames in {outcome.periods:,} scope periods{failed}",
        file=sys.stderr,
    )
    return startup.FAILED if outcome.failed else 0


def _reprocessed(parts: Parts) -> int:
    """Carry out all tasks; return the exit code."""
    from ratekit.cmd import startup

    finished = parts.tasks.finish()
    if finished.done or finished.failed:
        failed = f"; not done: {finished.failed:,}, see the log" if finished.failed else ""
        done = f"{finished.done:,} task{'' if finished.done == 1 else 's'} done"
        periods = f"{finished.kept:,} period{'' if finished.kept == 1 else 's'}"
        kept = f"; kept as they were: {periods}, see the log" if finished.kept else ""
        print(f"{PROG}: {done}{kept}{failed}", file=sys.stderr)
    return startup.FAILED if finished.failed else 0


def _collects(conf: Any) -> bool:
    """Tell whether tasks may collect: old frames may not be replaced by what is left of them."""
    allowed: bool = conf.collector_gnocchi.allow_expired
    if allowed:
        LOG.warning("tasks that collect wait for a processor that runs without allow_expired")
    return not allowed


def _forever(conf: Any, argv: Sequence[str] | None) -> int:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.EVENTLET)
    from ratekit import composition
    from ratekit.cmd.output import progress
    from ratekit.daemon import supervisor
    from ratekit.daemon.status_board import StatusBoard
    from ratekit.daemon.systemd import Notifier

    storage = composition.build_storage(conf)
    board = StatusBoard(_workers(conf, storage))
    collects = _collects(conf)
    with progress.shown(bar=len(board.slots) == 1) as report:
        processors = [
            _processor(conf, argv, storage, board, index, report, collects)
            for index in range(len(board.slots))
        ]
        watcher = supervisor.Supervisor(board, Notifier.from_environment(), _say_farewell)
        supervisor.launch(conf, processors, watcher)
    return board.exit_code


def _workers(conf: Any, storage: interfaces.Storage) -> int:
    wanted: int = conf.orchestrator.max_workers
    if storage.processes is None or wanted <= storage.processes:
        return wanted
    LOG.warning(
        "[orchestrator] max_workers is %d, but this database takes %d: %d will rate",
        wanted,
        storage.processes,
        storage.processes,
    )
    return storage.processes


def _processor(
    conf: Any,
    argv: Sequence[str] | None,
    storage: interfaces.Storage,
    board: StatusBoard,
    index: int,
    report: Callable[[Progress], None],
    collects: bool,
) -> Processor:
    from ratekit import composition, concurrency
    from ratekit.cmd import startup
    from ratekit.daemon import service, worker
    from ratekit.domain.schedule.share import Partition
    from ratekit.processing.cycle import RunContext

    stop = concurrency.StopEvent()
    slot = board.slots[index]
    pulse = worker.Heartbeat(slot, stop, report)
    context = RunContext(startup.now, pulse.report, pulse.going_on, random.random)

    def give_up(code: int) -> None:
        board.exit_code = code
        os.kill(os.getppid(), signal.SIGTERM)

    def reread() -> Settings:
        # Raises with every mistake, before anything is changed.
        composition.read_settings(_load(argv, logs=False), concurrency.side_by_side)
        conf.mutate_config_files()
        return composition.read_settings(conf, concurrency.side_by_side)

    share = Partition(index, len(board.slots))
    parts = composition.build(conf, storage, context, concurrency.side_by_side, share, collects)
    rating = worker.Worker(
        parts.orchestrator,
        parts.tasks,
        composition.build_calendar(conf),
        composition.build_backoff(conf),
        stop,
        slot,
        give_up,
        startup.now,
        random.random,
    )
    name = f"worker {index + 1} of {len(board.slots)}"
    return service.Processor(rating, stop, slot, reread, name)
