"""How a daemon shares the scopes with other daemons, and its workers among themselves."""

from __future__ import annotations

import secrets
from typing import Self

from ratekit import errors
from ratekit.coordination.board import GroupBoard
from ratekit.coordination.claims import Claims
from ratekit.coordination.service_url import ServiceUrl
from ratekit.daemon.group_process import GroupProcess
from ratekit.daemon.sharing import (
    COORDINATED_PATIENCE,
    UNCOORDINATED_PATIENCE,
    CoordinatedGroup,
    GroupSource,
    SeenProcessors,
    WorkerSharing,
)
from ratekit.daemon.status_board import StatusBoard
from ratekit.interfaces import Storage
from ratekit.processing.run_context import Clock

#: Seconds without a heartbeat after which a worker's scopes are free for the other workers.
_SILENCE = COORDINATED_PATIENCE.total_seconds()


class Cooperation:
    """What all workers of a daemon have in common; made before they are forked.

    :param name: of the daemon, for operators
    :param member: its name in the group
    :param board: status of its workers
    :ivar companion: the process that keeps the daemon in its group; None: there is no service
    """

    def __init__(
        self,
        name: str,
        member: str,
        board: StatusBoard,
        source: GroupSource,
        companion: GroupProcess | None = None,
    ) -> None:
        self.name = name
        self.companion = companion
        self._member = member
        self._workers = len(board.workers)
        self._source = source
        self._claims = Claims(self._workers, hangs=lambda worker: board.silence(worker) > _SILENCE)

    @classmethod
    def coordinated(cls, service: ServiceUrl, url: str, name: str, board: StatusBoard) -> Self:
        """Return cooperation by a coordination service; opens no connection.

        :param url: as in the configuration
        :raises ratekit.errors.OperatorError: a Python package is missing
        """
        if service.missing_package is not None:
            raise errors.OperatorError(
                f"[orchestrator] coordination_url: {service.scheme} needs {service.missing_package}"
            )
        # Different after each start: the service may still have the member of a daemon that died.
        member = f"{name} ({secrets.token_hex(3)})"
        group = GroupBoard.create()
        workers = len(board.workers)
        companion = GroupProcess(
            service.scheme, url, member, workers, group, service.membership_seconds
        )
        return cls(name, member, board, CoordinatedGroup(group), companion)

    @classmethod
    def uncoordinated(cls, storage: Storage, name: str, board: StatusBoard, clock: Clock) -> Self:
        """Return cooperation of daemons that see each other's reports in the database."""
        return cls(name, name, board, SeenProcessors(storage.monitoring, clock))

    def sharing(self, worker: int) -> WorkerSharing:
        """Return a worker's view.

        :param worker: number of the process among the daemon's workers, from 0
        """
        patience = UNCOORDINATED_PATIENCE if self.companion is None else COORDINATED_PATIENCE
        return WorkerSharing(
            self._source, self._member, worker, self._workers, self._claims, patience
        )
