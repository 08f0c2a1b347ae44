"""One transaction's work: what a handler may do besides its own SQL. The chassis opens and commits it."""

from uuid import UUID

from duly_chassis.database import Connection
from duly_contracts.event import Event


class Work:
    """The base of every service's store: a connection inside a transaction, and what leaves with its commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.outgoing: list[tuple[UUID, Event]] = []

    def emit(self, event_id: UUID, event: Event) -> None:
        """Have an event published if, and only if, this transaction commits.

        `event_id` is derived from what caused it (duly_contracts.ids), so that emitting twice is one fact.
        """
        self.outgoing.append((event_id, event))
