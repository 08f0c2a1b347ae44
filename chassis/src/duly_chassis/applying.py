"""What is done with records that were read, inside a transaction of the caller's: by a lane, and by a replay alike.

The inbox drops what was published twice, the route table's handlers apply the rest, and the outbox is written with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from duly_chassis import crash, inbox, outbox
from duly_chassis.arrival import believed
from duly_chassis.clock import Clock
from duly_chassis.database import Connection
from duly_chassis.dead_letters import KILLS, DeadLetter, Raw
from duly_chassis.faults import Fault, fault, fingerprint
from duly_chassis.service import Service
from duly_chassis.traces import Span
from duly_contracts.decode import Fact, Held, Poison, Skip
from duly_contracts.event import Event

TRIES_PER_RECORD = 3  # of an exception that is not the database's, before the record is given up


@dataclass(frozen=True, slots=True)
class Killer:
    """A record over which this process has died too often to be looked at once more."""

    deaths: int


@dataclass(frozen=True, slots=True)
class Read:
    """A record and what the decoder made of it."""

    record: Raw
    outcome: Fact[Event] | Skip | Held | Poison | Killer
    arrived: datetime | None = None
    """When it first came, where that was not just now: what its own moment is held against."""


@dataclass(slots=True)
class Counted:
    """What was found besides new facts."""

    repeated: int = 0
    ahead: int = 0
    spans: list[Span] = field(default_factory=list)


class Applying:
    """Applies records for one service."""

    def __init__(self, service: Service[Any], clock: Clock) -> None:
        self._service = service
        self._clock = clock

    async def together(self, connection: Connection, new: Sequence[Read], counted: Counted) -> list[DeadLetter]:
        """Apply all facts set-based, a handful of statements for all; return those that cannot be applied."""
        reads = {id(read.outcome): read for read in new if isinstance(read.outcome, Fact)}
        facts = [read.outcome for read in new if isinstance(read.outcome, Fact)]
        conflicts = await self._handle(connection, facts, counted)
        return [DeadLetter(reads[id(fact)].record, "id-conflict", "inbox") for fact in conflicts]

    async def each(self, connection: Connection, new: Sequence[Read], counted: Counted) -> list[DeadLetter]:
        """Apply facts one at a time under savepoints; who cannot be applied becomes a dead letter."""
        letters = []
        for read in new:
            if isinstance(read.outcome, Fact):
                letter = await self._alone(connection, read, read.outcome, counted)
                if letter is not None:
                    letters.append(letter)
        return letters

    async def _alone(
        self, connection: Connection, read: Read, fact: Fact[Event], counted: Counted
    ) -> DeadLetter | None:
        for tries_left in reversed(range(TRIES_PER_RECORD)):
            try:
                async with connection.transaction():
                    conflicts = await self._handle(connection, [fact], counted, read.arrived)
            except Exception as error:
                blame = fault(error)
                if blame in (Fault.WORLD, Fault.DEPLOYMENT):
                    raise
                if blame is Fault.CODE and tries_left:
                    continue
                reason = "database" if isinstance(error, asyncpg.PostgresError) else "handler"
                return DeadLetter(read.record, reason, fingerprint(error))
            return DeadLetter(read.record, "id-conflict", "inbox") if conflicts else None
        return None

    async def _handle(
        self, connection: Connection, facts: Sequence[Fact[Event]], counted: Counted, arrived: datetime | None = None
    ) -> list[Fact[Any]]:
        """Run the route table over facts not seen before; return those whose id was seen with other content."""
        now = self._clock.now()
        versioned, guarded = split(self._service, facts)
        crash.at("inbox-before")
        taken = await inbox.take(connection, guarded)
        crash.at("inbox-after")
        tx = self._service.work(connection)
        # A replayed fact is dated by its first arrival: by today's it would overrule all that came after it.
        dated, ahead = believed([*versioned, *taken.fresh], min(arrived or now, now))
        fresh = by_type(dated)
        for listen in self._service.listens:
            wanted = [fact for event in listen.types for fact in fresh.get(event, ())]
            if wanted:
                await listen.handler(wanted, now, tx)
        await outbox.put(connection, self._service.source, tx.outgoing)
        counted.repeated += len(guarded) - len(taken.fresh)
        counted.ahead += ahead
        counted.spans += tx.spans
        return taken.conflicting


def refused(reads: Sequence[Read]) -> list[DeadLetter]:
    """Return the dead letters of what nobody may look at, the decoder refused, or a later release must read."""
    letters = []
    for read in reads:
        if isinstance(read.outcome, Poison):
            letters.append(DeadLetter(read.record, read.outcome.reason, f"decode {read.outcome.detail}"))
        elif isinstance(read.outcome, Held):
            letters.append(DeadLetter(read.record, "version", f"decode {read.outcome.type}"))
        elif isinstance(read.outcome, Killer):
            letters.append(DeadLetter(read.record, KILLS, f"process died {read.outcome.deaths} times over it alone"))
    return letters


def split(service: Service[Any], facts: Sequence[Fact[Event]]) -> tuple[list[Fact[Event]], list[Fact[Event]]]:
    """Part facts of compacted topics, which their record's version guards, from those the inbox guards."""
    compacted = {topic.name for topic in service.topics if topic.compacted}
    versioned = [fact for fact in facts if fact.data.topic in compacted]
    return versioned, [fact for fact in facts if fact.data.topic not in compacted] if versioned else list(facts)


def by_type(facts: Sequence[Fact[Event]]) -> Mapping[type[Event], list[Fact[Event]]]:
    """Group facts by their type, each group in the order of arrival."""
    groups: dict[type[Event], list[Fact[Event]]] = {}
    for fact in facts:
        groups.setdefault(type(fact.data), []).append(fact)
    return groups
