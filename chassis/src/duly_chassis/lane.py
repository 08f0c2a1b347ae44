"""One lane of a batch: one transaction that applies its records, or waits in place until it can.

In order: the stored offset drops what was applied before, what is left is applied (applying.py), and dead letters
and offsets are written with it.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from duly_chassis import crash, dead_letters, inbox, offsets, retry
from duly_chassis.applying import Applying, Counted, Read, refused, split
from duly_chassis.clock import Clock
from duly_chassis.database import Connection, Database
from duly_chassis.dead_letters import DeadLetter
from duly_chassis.faults import Fault, fault, fingerprint, label
from duly_chassis.logs import log
from duly_chassis.metrics import Metrics
from duly_chassis.positions import UNPLACED, Moved
from duly_chassis.service import Service
from duly_chassis.traces import Traces, consumed
from duly_contracts.decode import Fact

LANE_RECORDS_MIN = 200  # below this, more commits cost more than lanes side by side win
LOG = log("lane")
T = TypeVar("T")


class Lanes:
    """Applies lanes for one service."""

    def __init__(
        self, service: Service[Any], database: Database, clock: Clock, metrics: Metrics, traces: Traces | None = None
    ) -> None:
        self._service = service
        self._database = database
        self._applying = Applying(service, clock)
        self._metrics = metrics
        self._traces = traces or Traces()
        self.trouble: str | None = None
        """Why a lane waits in place right now; readiness shows it."""

    async def apply(
        self,
        reads: Sequence[Read],
        giving_up: Callable[[], bool],
        epochs: Mapping[offsets.Partition, int] | None = None,
        *,
        doubted: bool = False,
    ) -> int:
        """Apply these records, in the order of their partitions, and commit; returns how many were applied before.

        Where the stored offsets are `doubted` they drop only what the inbox knows as well: the log may be another
        one, grown past them already.

        Never raises for a record or for an outage. `giving_up` says that the service stops: then what was not
        committed simply comes again. Raises Moved, with nothing applied, where another epoch than of `epochs` began.
        """
        one_by_one = False

        async def attempt() -> int:
            nonlocal one_by_one
            try:
                return await self._transaction(reads, epochs or {}, one_by_one=one_by_one, doubted=doubted)
            except Moved:
                raise
            except Exception as error:
                if not one_by_one and fault(error) in (Fault.RECORD, Fault.CODE):
                    one_by_one = True  # so that one NUL costs one record, not the batch
                    return await self._transaction(reads, epochs or {}, one_by_one=True, doubted=doubted)
                raise

        started_s = time.monotonic()
        dropped = await retry.in_place(
            attempt, lambda error: not (giving_up() or isinstance(error, Moved)), self.failed
        )
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

    async def _transaction(
        self, reads: Sequence[Read], epochs: Mapping[offsets.Partition, int], *, one_by_one: bool, doubted: bool
    ) -> int:
        async with self._database.transaction() as connection:
            partitions = {(read.record.topic, read.record.partition) for read in reads}
            stored = await offsets.lock(connection, partitions)
            other = [at for at, held in stored.items() if epochs.get(at, held.epoch) != held.epoch]
            if other:
                raise Moved({at: stored[at].next_offset for at in other if epochs[at] != UNPLACED})
            expected = {at: held.next_offset for at, held in stored.items()}
            new = [read for read in reads if read.record.offset >= expected[place(read)]]
            if doubted and len(new) < len(reads):
                new = await self._unknown(connection, reads, expected)
            if not new:
                return len(reads)
            counted = Counted()
            apply = self._applying.each if one_by_one else self._applying.together
            letters = [*refused(new), *await apply(connection, new, counted)]
            await dead_letters.put(connection, letters)
            reached = {place(read): max(expected[place(read)], read.record.offset + 1) for read in new}
            await offsets.advance(connection, reached)
            crash.at("lane-before-commit")
        crash.at("lane-after-commit")
        self._count(new, letters, counted)
        return len(reads) - len(new)

    async def _unknown(
        self, connection: Connection, reads: Sequence[Read], expected: Mapping[offsets.Partition, int]
    ) -> list[Read]:
        """Drop of what the offsets would drop only facts that were seen; versions guard those of compacted topics."""
        facts = [read.outcome for read in reads if isinstance(read.outcome, Fact)]
        seen = await inbox.known(connection, split(self._service, facts)[1])
        new = []
        for read in reads:
            fact = read.outcome
            known = not isinstance(fact, Fact) or (fact.data.tenant_id, fact.source, fact.id) in seen
            if read.record.offset >= expected[place(read)] or not known:
                new.append(read)
        return new

    def _count(self, new: Sequence[Read], letters: Sequence[DeadLetter], counted: Counted) -> None:
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


def place(read: Read) -> offsets.Partition:
    """Return the partition a record came from."""
    return read.record.topic, read.record.partition


def parted(reads: Sequence[Read], lanes: int) -> list[list[Read]]:
    """Part a batch by partition number, so that a person's facts of all topics share a lane."""
    lanes = min(lanes, 1 + len(reads) // LANE_RECORDS_MIN)
    parts: dict[int, list[Read]] = {}
    for read in reads:
        parts.setdefault(read.record.partition % lanes, []).append(read)
    return list(parts.values())
