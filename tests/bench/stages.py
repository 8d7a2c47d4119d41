"""CPU time and statements by stage: measured around the public methods of the parts."""

from __future__ import annotations

import collections
import contextlib
import functools
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa


class Statements:
    """Counts SQL statements of all connections; COPY counts, the ends of transactions do not."""

    def __init__(self) -> None:
        self.count = 0
        # SQLAlchemy does not see what goes around it.
        with contextlib.suppress(ImportError):
            import psycopg

            for method in ("execute", "executemany", "copy"):
                self._watch(psycopg.Cursor, method)
        sa.event.listen(sa.Engine, "before_cursor_execute", self._note)

    def _watch(self, owner: type, method: str) -> None:
        original = getattr(owner, method)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return original(*args, **kwargs)

        setattr(owner, method, call)

    def _note(self, connection: sa.Connection, *_: object) -> None:
        if connection.dialect.driver != "psycopg":
            self.count += 1


class Stages:
    """Measures calls of methods, of whatever object.

    While several green threads are in a stage, the process's CPU time counts once.
    """

    def __init__(self) -> None:
        self._statements = Statements()
        self._figures: dict[str, float] = collections.defaultdict(float)
        self._depths: collections.Counter[str] = collections.Counter()
        self._starts: dict[str, tuple[float, int]] = {}

    def watch(self, owner: type, method: str, stage: str) -> None:
        """Measure the calls of a method of a class from now on.

        What a generator does counts where it is called.
        """
        original = getattr(owner, method)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._running(stage):
                result = original(*args, **kwargs)
                return iter(list(result)) if isinstance(result, Iterator) else result

        setattr(owner, method, call)

    def take(self) -> dict[str, float]:
        """Return seconds, statements and calls of each stage, and forget them."""
        figures = dict(self._figures)
        self._figures.clear()
        return figures

    @contextlib.contextmanager
    def _running(self, stage: str) -> Iterator[None]:
        self._figures[f"{stage} calls"] += 1
        if not self._depths[stage]:
            self._starts[stage] = time.process_time(), self._statements.count
        self._depths[stage] += 1
        try:
            yield
        finally:
            self._depths[stage] -= 1
            if not self._depths[stage]:
                seconds, statements = self._starts[stage]
                self._figures[f"{stage} seconds"] += time.process_time() - seconds
                self._figures[f"{stage} statements"] += self._statements.count - statements
