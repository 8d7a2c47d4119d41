"""Scopes from the configuration, for a cloud without roles."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Self

from oslo_config import cfg

from ratekit import interfaces
from ratekit.domain.scope import Scope

GROUP = "fetcher_static"

OPTS = [
    cfg.ListOpt(
        "scopes",
        default=[],
        help="Ids of the scopes to rate, separated by commas.",
    ),
]


class StaticFetcher(interfaces.Fetcher):
    """Lists the scopes of ``[fetcher_static] scopes``."""

    def __init__(self, ids: Collection[str]) -> None:
        self._scopes = tuple(Scope(scope_id) for scope_id in dict.fromkeys(ids))

    @classmethod
    def options(cls) -> Mapping[str, Sequence[Any]]:
        """Return the options of ``[fetcher_static]``."""
        return {GROUP: OPTS}

    @classmethod
    def check_conf(cls, conf: Any) -> Iterator[tuple[str, str, str]]:
        """Require at least one scope."""
        if not conf[GROUP].scopes:
            yield GROUP, "scopes", "is empty; expected ids separated by commas"

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from ``[fetcher_static]``."""
        return cls(conf[GROUP].scopes)

    def scopes(self) -> Collection[Scope]:
        """Return the configured scopes, without names."""
        return self._scopes
