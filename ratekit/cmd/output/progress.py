"""How the progress of a cycle is shown: a bar on a terminal, else a log line for each batch."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tqdm import tqdm
from tqdm.contrib import logging as tqdm_logging

from ratekit.processing.run_context import Progress
from ratekit.text import count_text

LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def reporter(bar: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Yield a function to call after each batch.

    :param bar: draw a bar if there is a terminal; several processes would overwrite each other
    """
    if not bar or not _has_terminal():
        yield log_line
        return
    progress_bar = Bar()
    with tqdm_logging.logging_redirect_tqdm():
        yield progress_bar
    progress_bar.close()


def _has_terminal() -> bool:
    """Return whether there is a terminal to draw on; a terminal without a size is none."""
    try:
        return sys.stderr.isatty() and min(os.get_terminal_size(sys.stderr.fileno())) > 0
    except OSError:
        return False


def log_line(progress: Progress) -> None:
    """Log what a batch did and what remains; nothing if other processors had rated all of it."""
    if not progress.batch.states:
        return
    LOG.info(
        "%s rated: %s; left: %s, %s",
        progress.batch,
        count_text(progress.frames, "frame"),
        count_text(progress.scopes_left, "scope"),
        count_text(progress.periods_left, "period"),
    )


class Bar:
    """A bar for each cycle: frames, remaining scopes and remaining time."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._frames = 0

    def __call__(self, progress: Progress) -> None:
        """Move the bar by one batch; close it after the last."""
        bar = self._open() if self._bar is None else self._bar
        self._frames += progress.frames
        # The total changes with each batch: scopes that failed are no longer part of it.
        bar.total = bar.n + progress.batch.size + progress.periods_left
        scopes = count_text(progress.scopes_left, "scope")
        bar.set_postfix_str(f"{count_text(self._frames, 'frame')}, {scopes} left", refresh=False)
        bar.update(progress.batch.size)
        if not progress.periods_left:
            self.close()

    def _open(self) -> tqdm[Any]:
        # Batches take seconds, so each is worth drawing.
        bar: tqdm[Any] = tqdm(
            total=0, unit=" periods", desc="rating", file=sys.stderr, mininterval=0, miniters=1
        )
        self._bar = bar
        self._frames = 0
        return bar

    def close(self) -> None:
        """Close the bar and leave it on the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
