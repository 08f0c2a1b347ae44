"""One transaction's work: what a handler may do besides its own SQL. The chassis opens and commits it."""

from uuid import UUID

from duly_chassis.database import Connection
from duly_chassis.traces import Span
from duly_contracts.event import Event

Outgoing = tuple[UUID, Event, str]
"""The event's id, the event, and the trace context it goes on with; "" begins a trace."""


class Work:
    """The base of every service's store: a connection inside a transaction, and what leaves with its commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.outgoing: list[Outgoing] = []
        self.spans: list[Span] = []

    def emit(self, event_id: UUID, event: Event, because: str = "") -> None:
        """Have an event published if, and only if, this transaction commits.

        `event_id` is derived from what caused it (duly_contracts.ids), so that emitting twice is one fact.
        `because` is the trace context of what caused it: a fact's `trace`, or what a waiting row has kept of one.
        """
        self.outgoing.append((event_id, event, because))

    def traced(self, span: Span) -> None:
        """Have a span recorded once this transaction has committed; where nobody collects traces it costs nothing."""
        self.spans.append(span)
