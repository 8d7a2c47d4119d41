"""What the command line says."""

from __future__ import annotations

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """Options of all parts.

    :ivar is_full: measure the large cases too, which takes hours
    :ivar rounds: figures are medians of so many
    :ivar folder: for files
    """

    is_full: bool
    rounds: int
    folder: pathlib.Path
