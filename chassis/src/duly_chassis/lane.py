"""One lane of a batch: one transaction that applies its records, or waits in place until it can.

In order: the stored offset drops what was applied before, the inbox drops what was published twice, the route
table's handlers apply the rest, and outbox, dead letters and offsets are written with it.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg

from duly_chassis import dead_letters, inbox, offsets, outbox, retry
from duly_chassis.arrival import believed
from duly_chassis.clock import Clock
from duly_chassis.database import Connection, Database
from duly_chassis.dead_letters import DeadLetter, Raw
from duly_chassis.faults import Fault, fault, fingerprint, label
from duly_chassis.logs import log
from duly_chassis.metrics import Metrics
from duly_chassis.service import Service
from duly_chassis.traces import Span, Traces, consumed
from duly_contracts.decode import Fact, Held, Poison, Skip
from duly_contracts.event import Event

TRIES_PER_RECORD = 3  # of an exception that is not the database's, before the record is given up
LOG = log("lane")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Read:
    """A record and what the decoder made of it."""

    record: Raw
    outcome: Fact[Event] | Skip | Held | Poison


class Lanes:
    """Applies lanes for one service."""

    def __init__(
        self, service: Service[Any], database: Database, clock: Clock, metrics: Metrics, traces: Traces | None = None
    ) -> None:
        self._service = service
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._traces = traces or Traces()
        self.trouble: str | None = None
        """Why a lane waits in place right now; readiness shows it."""

    async def apply(self, reads: Sequence[Read], giving_up: Callable[[], bool]) -> int:
        """Apply these records, in the order of their partitions, and commit; returns how many were applied before.

        Never raises for a record or for an outage. `giving_up` says that the service stops: then what was not
        committed simply comes again.
        """
        one_by_one = False

        async def attempt() -> int:
            nonlocal one_by_one
            try:
                return await self._transaction(reads, one_by_one=one_by_one)
            except Exception as error:
                if not one_by_one and fault(error) in (Fault.RECORD, Fault.CODE):
                    one_by_one = True  # so that one NUL costs one record, not the batch
                    return await self._transaction(reads, one_by_one=True)
                raise

        started_s = time.monotonic()
        dropped = await retry.in_place(attempt, lambda _error: not giving_up(), self.failed)
        self.trouble = None
        lasted_s = time.monotonic() - started_s
        self._metrics.batch_seconds.labels(self._service.name).observe(lasted_s)
        if self._traces.on:
            facts = [read.outcome for read in reads if isinstance(read.outcome, Fact)]
            self._traces.record([consumed(facts, len(reads), lasted_s)])
        return dropped

    async def in_place(
        self, work: Callable[[Connection], Awaitable[T]], giving_up: Callable[[], bool] = lambda: False
    ) -> T:
        """Do one small transaction beside the lanes, waiting in place for as long as the database is away."""

        async def attempt() -> T:
            async with self._database.transaction() as connection:
                return await work(connection)

        done = await retry.in_place(attempt, lambda _error: not giving_up(), self.failed)
        self.trouble = None
        return done

    def failed(self, error: BaseException, attempt: int) -> None:
        """Say why a lane waits in place."""
        self.trouble = label(error)
        self._metrics.retries.labels(self._service.name, "lane", self.trouble).inc()
        LOG.warning(
            "lane_waits",
            service=self._service.name,
            error=self.trouble,
            attempt=attempt,
            where=fingerprint(error),
        )

    async def _transaction(self, reads: Sequence[Read], *, one_by_one: bool) -> int:
        async with self._database.transaction() as connection:
            partitions = {(read.record.topic, read.record.partition) for read in reads}
            expected = await offsets.lock(connection, partitions)
            new = [read for read in reads if read.record.offset >= expected[read.record.topic, read.record.partition]]
            if not new:
                return len(reads)
            counted = Counted()
            apply = self._each if one_by_one else self._together
            letters = [*refused(new), *await apply(connection, new, counted)]
            await dead_letters.put(connection, letters)
            await offsets.advance(connection, {place(read): read.record.offset + 1 for read in new})
        self._count(new, letters, counted)
        return len(reads) - len(new)

    async def _together(self, connection: Connection, new: Sequence[Read], counted: "Counted") -> list[DeadLetter]:
        """Apply all facts set-based: a handful of statements for the whole lane."""
        reads = {id(read.outcome): read for read in new if isinstance(read.outcome, Fact)}
        facts = [read.outcome for read in new if isinstance(read.outcome, Fact)]
        conflicts = await self._handle(connection, facts, counted)
        return [DeadLetter(reads[id(fact)].record, "id-conflict", "inbox") for fact in conflicts]

    async def _each(self, connection: Connection, new: Sequence[Read], counted: "Counted") -> list[DeadLetter]:
        """Apply facts one at a time under savepoints; who cannot be applied becomes a dead letter."""
        letters = []
        for read in new:
            if isinstance(read.outcome, Fact):
                letter = await self._alone(connection, read, read.outcome, counted)
                if letter is not None:
                    letters.append(letter)
        return letters

    async def _alone(
        self, connection: Connection, read: Read, fact: Fact[Event], counted: "Counted"
    ) -> DeadLetter | None:
        for tries_left in reversed(range(TRIES_PER_RECORD)):
            try:
                async with connection.transaction():
                    conflicts = await self._handle(connection, [fact], counted)
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
        self, connection: Connection, facts: Sequence[Fact[Event]], counted: "Counted"
    ) -> list[Fact[Any]]:
        """Run the route table over facts not seen before; return those whose id was seen with other content."""
        now = self._clock.now()
        versioned, guarded = split(self._service, facts)
        taken = await inbox.take(connection, guarded)
        tx = self._service.work(connection)
        dated, ahead = believed([*versioned, *taken.fresh], now)
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

    def _count(self, new: Sequence[Read], letters: Sequence[DeadLetter], counted: "Counted") -> None:
        # Only our own type names become labels: what a sender calls a record is text without limits.
        seen = Counter((type(getattr(read.outcome, "data", None)), type(read.outcome)) for read in new)
        for (event, outcome), number in seen.items():
            self._metrics.count_event(getattr(event, "type", "other"), outcome.__name__.lower(), number)
        self._metrics.count_event("any", "repeated", counted.repeated)
        self._metrics.count_event("any", "ahead", counted.ahead)
        self._traces.record(counted.spans)
        for letter in letters:
            self._metrics.dead_letters.labels(self._service.name, letter.reason).inc()
            LOG.warning(
                "dead_letter",
                service=self._service.name,
                topic=letter.record.topic,
                partition=letter.record.partition,
                offset=letter.record.offset,
                reason=letter.reason,
                fingerprint=letter.fingerprint,
            )


@dataclass(slots=True)
class Counted:
    """What a lane found besides new facts."""

    repeated: int = 0
    ahead: int = 0
    spans: list[Span] = field(default_factory=list)


def place(read: Read) -> offsets.Partition:
    """Return the partition a record came from."""
    return read.record.topic, read.record.partition


def refused(reads: Sequence[Read]) -> list[DeadLetter]:
    """Return the dead letters of what the decoder refused, or could only hold for a later release."""
    letters = []
    for read in reads:
        if isinstance(read.outcome, Poison):
            letters.append(DeadLetter(read.record, read.outcome.reason, f"decode {read.outcome.detail}"))
        elif isinstance(read.outcome, Held):
            letters.append(DeadLetter(read.record, "version", f"decode {read.outcome.type}"))
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
