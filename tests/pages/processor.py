"""The processor in this process, at times that are long past, on the real Keystone and Gnocchi."""

from __future__ import annotations

import datetime
import pathlib

from ratekit import composition, concurrency
from ratekit.cmd import configuration
from ratekit.processing.run_context import RunContext
from ratekit.storage.sql import build_storage


def run(conf_path: pathlib.Path, now: datetime.datetime) -> None:
    """Carry out all queued tasks, then rate all that is due, as ``ratekit-processor`` does.

    :param now: the processor's time
    """
    conf = configuration.load_for_rating("pages", ["--config-file", str(conf_path)])
    storage = build_storage(conf)
    context = RunContext(
        clock=lambda: now,
        report=lambda _: None,
        should_continue=lambda: True,
        chance=lambda: 0.5,
    )
    parts = composition.build_processor(
        conf, storage, context, concurrency.side_by_side, concurrency.within
    )
    parts.tasks.finish()
    parts.orchestrator.run_cycle()
