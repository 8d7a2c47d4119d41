"""How a cycle is shown: a bar on a terminal, a log line a batch elsewhere."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tqdm import tqdm
from tqdm.contrib import logging as tqdm_logging

from ratekit.processing.cycle import Progress

LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def shown(bar: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Yield what is to be told of each batch.

    :param bar: draw one where there is a terminal; several processes would draw over each other
    """
    if not bar or not _drawable():
        yield log_line
        return
    drawn = Bar()
    with tqdm_logging.logging_redirect_tqdm():
        yield drawn
    drawn.close()


def _drawable() -> bool:
    """Tell whether there is a terminal to draw on; some have no size."""
    try:
        return sys.stderr.isatty() and min(os.get_terminal_size(sys.stderr.fileno())) > 0
    except OSError:
        return False


def log_line(progress: Progress) -> None:
    """Log what one batch did and what is left; not that others had done it all."""
    if not progress.batch.states:
        return
    LOG.info(
        "%s rated: %d frames; left: %d scopes, %d periods",
        progress.batch,
        progress.frames,
        progress.scopes_left,
        progress.periods_left,
    )


class Bar:
    """One bar for each stretch of work: frames, scopes left and time left."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._frames = 0

    def __call__(self, progress: Progress) -> None:
        """Move the bar by one batch; the end of the work ends the bar."""
        bar = self._begin() if self._bar is None else self._bar
        self._frames += progress.frames
        # The rest is counted anew each time: scopes that failed are no longer part of it.
        bar.total = bar.n + progress.batch.size + progress.periods_left
        bar.set_postfix_str(
            f"{self._frames:,} frames, {progress.scopes_left} scopes left", refresh=False
        )
        bar.update(progress.batch.size)
        if not progress.periods_left:
            self.close()

    def _begin(self) -> tqdm[Any]:
        # Batches take seconds, so each is worth drawing.
        bar: tqdm[Any] = tqdm(
            total=0, unit=" periods", desc="rating", file=sys.stderr, mininterval=0, miniters=1
        )
        self._bar = bar
        self._frames = 0
        return bar

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
