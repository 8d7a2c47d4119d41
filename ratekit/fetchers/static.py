"""Scopes from the configuration, for a cloud without roles to go by."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

from ratekit import errors, interfaces
from ratekit.domain.scope import Scope


class StaticFetcher(interfaces.Fetcher):
    """Lists what ``[fetcher_static] scopes`` says."""

    def __init__(self, ids: Collection[str]) -> None:
        self._scopes = tuple(Scope(one) for one in dict.fromkeys(ids))

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build from ``[fetcher_static]``.

        :raises ratekit.errors.OperatorError: no scope is named
        """
        if not conf.fetcher_static.scopes:
            raise errors.OperatorError(
                "[fetcher_static] scopes is empty; expected ids separated by commas"
            )
        return cls(conf.fetcher_static.scopes)

    def scopes(self) -> Collection[Scope]:
        """Return the configured scopes, without names."""
        return self._scopes
