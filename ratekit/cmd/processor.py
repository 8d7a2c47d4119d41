"""ratekit-processor: the daemon."""

from __future__ import annotations

import datetime
import functools
import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ratekit import errors
from ratekit.cmd import launch, startup
from ratekit.text import count_text, minute_text

if TYPE_CHECKING:
    from ratekit import interfaces
    from ratekit.composition import Parts
    from ratekit.concurrency import StopEvent
    from ratekit.daemon.cooperation import Cooperation
    from ratekit.daemon.presence import Presence
    from ratekit.daemon.retention import FrameRetention
    from ratekit.daemon.service import Processor
    from ratekit.daemon.status_board import StatusBoard
    from ratekit.daemon.worker import Worker
    from ratekit.domain.schedule.calendar import Calendar
    from ratekit.processing.rater import Settings
    from ratekit.processing.run_context import Progress, RunContext

PROG = "ratekit-processor"
LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Rate until stopped; with --once, rate all that is due and carry out all tasks.

    :returns: 0 everything is rated, 1 something failed, 2 the configuration is wrong
    """
    # Before any other import: sockets and locks must be green from the start, and psycopg
    # must wait in Python, where other green threads can run.
    os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")
    # Recorded, not ignored: eventlet resets filters for its deprecation warning.
    with warnings.catch_warnings(record=True):
        import eventlet

        eventlet.monkey_patch()

    from ratekit.cmd import configuration

    try:
        # Only now: eventlet ignores all errors in some of its work.
        startup.handle_interrupts()
        with configuration.translate_errors():
            conf = _load_conf(argv, logs=True)
            startup.limit_garbage_collection()
            return _run_once(conf) if conf.once else _run_daemon(conf, argv)
    except errors.RatekitError as error:
        return startup.complain(PROG, error)
    except KeyboardInterrupt:
        _report_interrupt()
        return launch.INTERRUPTED


def _load_conf(argv: Sequence[str] | None, logs: bool, warns: bool = True) -> Any:
    from oslo_config import cfg

    from ratekit.cmd import configuration

    once = cfg.BoolOpt(
        "once", default=False, help="Rate all that is due, carry out all tasks, then exit."
    )
    expired = cfg.BoolOpt(
        "allow-expired",
        default=False,
        help="With --once: rate periods whose data the back end has partly expired; charge "
        "what is left.",
    )
    conf = configuration.load_for_rating(PROG, argv, [once, expired], logs, warns)
    if conf.allow_expired:
        if not conf.once:
            raise errors.OperatorError("--allow-expired requires --once")
        conf.set_override("allow_expired", True, group="collect")
    if logs and conf.collect.allow_expired:
        LOG.warning(
            "allow_expired is in effect: tasks that collect wait for a processor without it"
        )
    return conf


def _report_interrupt() -> None:
    print(f"{PROG}: interrupted; what was rated is stored", file=sys.stderr)


def _run_once(conf: Any) -> int:
    from ratekit import composition, concurrency
    from ratekit.cmd.output import progress
    from ratekit.conf import collect
    from ratekit.processing.run_context import RunContext
    from ratekit.storage.sql import build_storage

    storage = build_storage(conf)
    with progress.reporter() as report:
        context = RunContext(
            startup.now, report, should_continue=lambda: True, chance=random.random
        )
        parts = composition.build_processor(
            conf, storage, context, concurrency.side_by_side, concurrency.within
        )
        codes = []
        calendar = collect.build_calendar(conf)
        for work in (functools.partial(_rate, calendar=calendar), _reprocess):
            try:
                codes.append(work(parts))
            except errors.RatekitError as error:
                code = startup.complain(PROG, error)
                # Otherwise the configuration is usable; another run may succeed.
                is_mismatch = isinstance(error, errors.CloudMismatch)
                codes.append(code if is_mismatch else startup.FAILED)
    return max(codes)


def _rate(parts: Parts, calendar: Calendar) -> int:
    """Rate all that is due; return the exit code."""
    result = parts.orchestrator.run_cycle(wait_for_retry=False)
    frames, periods = count_text(result.frames, "frame"), count_text(result.periods, "period")
    line = f"{frames} in {periods} over all scopes"
    if not (result.periods or result.failed_scopes or result.lost_scopes):
        next_due = calendar.next_due(startup.now())
        line = f"nothing is due; next period at {minute_text(next_due)}"
    if result.failed_scopes:
        line += f"; not completely rated: {count_text(result.failed_scopes, 'scope')}, see the log"
    print(f"{PROG}: {line}", file=sys.stderr)
    return startup.FAILED if result.failed_scopes else 0


def _reprocess(parts: Parts) -> int:
    """Carry out all tasks; return the exit code."""
    summary = parts.tasks.finish()
    if summary.finished_tasks or summary.failed_tasks:
        line = f"{count_text(summary.finished_tasks, 'task')} done"
        if summary.kept_periods:
            line += f"; left unchanged: {count_text(summary.kept_periods, 'period')}, see the log"
        if summary.failed_tasks:
            line += f"; not done: {count_text(summary.failed_tasks, 'task')}, see the log"
        print(f"{PROG}: {line}", file=sys.stderr)
    return startup.FAILED if summary.failed_tasks else 0


def _run_daemon(conf: Any, argv: Sequence[str] | None) -> int:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.EVENTLET)
    from ratekit.cmd.output import progress
    from ratekit.daemon import supervisor
    from ratekit.daemon.presence import DaemonName
    from ratekit.daemon.status_board import StatusBoard
    from ratekit.daemon.systemd import Notifier
    from ratekit.storage.sql import build_storage

    notifier = Notifier.from_environment()
    problem = notifier.explain_short_watchdog(conf.orchestrator.batch_timeout)
    if problem is not None:
        LOG.warning("%s", problem)
    storage = build_storage(conf)
    board = StatusBoard(_count_workers(conf, storage))
    name = DaemonName(conf.database.connection)
    cooperation = _build_cooperation(conf, storage, name.text, board)
    with progress.reporter(bar=len(board.workers) == 1) as report:
        processors = [
            _build_process(conf, argv, storage, board, index, report, cooperation)
            for index in range(len(board.workers))
        ]
        watcher = supervisor.Supervisor(board, notifier, _report_interrupt, cooperation.companion)
        supervisor.launch(conf, processors, watcher)
    return board.exit_code


def _build_cooperation(
    conf: Any, storage: interfaces.Storage, name: str, board: StatusBoard
) -> Cooperation:
    """Return how the daemon shares the scopes with others.

    :raises ratekit.errors.OperatorError: a Python package is missing
    """
    from ratekit.coordination.service_url import ServiceUrl
    from ratekit.daemon.cooperation import Cooperation

    url = conf.orchestrator.coordination_url
    if url and storage.processes is None:
        try:
            service = ServiceUrl.parse(url)
        except errors.OperatorError as error:
            LOG.warning("[orchestrator] coordination_url is ignored: %s", error)
        else:
            return Cooperation.coordinated(service, url, name, board)
    return Cooperation.uncoordinated(storage, name, board, startup.now)


def _count_workers(conf: Any, storage: interfaces.Storage) -> int:
    workers: int = conf.orchestrator.max_workers
    if storage.processes is None or workers <= storage.processes:
        return workers
    LOG.warning(
        "[orchestrator] max_workers: SQLite supports one worker; starting %d instead of %d",
        storage.processes,
        workers,
    )
    return storage.processes


def _build_process(
    conf: Any,
    argv: Sequence[str] | None,
    storage: interfaces.Storage,
    board: StatusBoard,
    index: int,
    report: Callable[[Progress], None],
    cooperation: Cooperation,
) -> Processor:
    """Return one of the daemon's processes, which rates its part of the scopes."""
    from ratekit import concurrency
    from ratekit.daemon import presence, service, worker
    from ratekit.processing.run_context import RunContext

    stop = concurrency.StopEvent()
    status = board.workers[index]
    name = f"worker {index + 1} of {len(board.workers)}"
    host_name = f"{cooperation.name}, {name}"
    process = presence.Presence(storage.monitoring, host_name, startup.now)
    heartbeat = worker.Heartbeat(status, stop, process, report)
    context = RunContext(startup.now, heartbeat.report, heartbeat.should_continue, random.random)
    rating = _build_worker(conf, storage, board, index, cooperation, context, stop, process)

    def reload_settings(warns: bool) -> Settings:
        # What the first worker logs of the files is true of all.
        return _reload_settings(conf, argv, warns and index == 0)

    return service.Processor(rating, stop, status, reload_settings, name)


def _build_worker(
    conf: Any,
    storage: interfaces.Storage,
    board: StatusBoard,
    index: int,
    cooperation: Cooperation,
    context: RunContext,
    stop: StopEvent,
    process: Presence,
) -> Worker:
    """Return what rates, reprocesses and removes old frames in one of the daemon's processes."""
    from ratekit import composition, concurrency
    from ratekit.conf import collect
    from ratekit.daemon import worker

    def give_up(code: int) -> None:
        board.exit_code = code
        os.kill(os.getppid(), signal.SIGTERM)

    sharing = cooperation.sharing(index)
    parts = composition.build_processor(
        conf,
        storage,
        context,
        concurrency.side_by_side,
        concurrency.within,
        sharing,
        leads=index == 0,
    )
    return worker.Worker(
        parts.orchestrator,
        parts.tasks,
        _build_retention(conf, storage, index),
        collect.build_calendar(conf),
        composition.build_backoff(conf),
        stop,
        board.workers[index],
        process,
        sharing,
        give_up,
        startup.now,
        random.random,
    )


def _build_retention(conf: Any, storage: interfaces.Storage, index: int) -> FrameRetention:
    """Return what removes old frames: the first worker does."""
    from ratekit.daemon.retention import FrameRetention

    days = conf.storage.retention if index == 0 else None
    retention = None if days is None else datetime.timedelta(days=days)
    return FrameRetention(storage, retention, not conf.storage.keep_totals, startup.now)


def _reload_settings(conf: Any, argv: Sequence[str] | None, warns: bool) -> Settings:
    """Read the files again; change ``conf`` only if they have no mistake.

    :param warns: log which options nothing reads, and which apply only after a restart
    """
    from ratekit import composition, concurrency
    from ratekit.cmd import reload

    composition.read_settings(_load_conf(argv, logs=False, warns=warns), concurrency.side_by_side)
    reload.adopt_files(conf, warns)
    return composition.read_settings(conf, concurrency.side_by_side)
