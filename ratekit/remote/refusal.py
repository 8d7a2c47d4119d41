"""What the API does not offer."""

from __future__ import annotations

from typing import Any, NoReturn

from ratekit import errors


def refuse() -> NoReturn:
    """Refuse what needs the database.

    :raises ratekit.errors.OperatorError: always
    """
    raise errors.OperatorError(
        "this needs the database: run it without --os-cloud and other --os options on a host with "
        "ratekit.conf"
    )


class Refusal:
    """A part of the storage that the API does not offer."""

    def __getattr__(self, name: str) -> Any:
        """Refuse everything."""
        refuse()
