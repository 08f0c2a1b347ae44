"""The small service whose consumer layer is measured: a handler, a due loop and an output, as every service has."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from duly_chassis.clock import Clock
from duly_chassis.service import Entry, Listen, Service, When
from duly_chassis.settings import ServiceSettings
from duly_chassis.work import Work
from duly_contracts import topics
from duly_contracts.decisions import MessageWithheldV1
from duly_contracts.decode import Fact
from duly_contracts.ids import derived
from duly_contracts.training import TrainingCompletedV1, TrainingEvent, TrainingProgressedV1

REMIND_AFTER = timedelta(days=36_500)  # the due loop looks after every batch, and never finds anything


class Settings(ServiceSettings):
    """What every service has; all of it as shipped."""

    service: ClassVar[str] = "bench"


class Store(Work):
    """The state table, inside one transaction."""

    async def save(self, facts: Sequence[Fact[TrainingEvent]]) -> None:
        """Fold facts into their rows, with the moment each must be looked at next."""
        last = {(fact.data.tenant_id, fact.data.assignment_id): fact.data for fact in facts}
        done = {
            (fact.data.tenant_id, fact.data.assignment_id): fact.data.occurred_at
            for fact in facts
            if isinstance(fact.data, TrainingCompletedV1)
        }
        rows = list(last.values())
        await self._connection.execute(
            """
            INSERT INTO states AS s (tenant_id, assignment_id, person_id, training_id, progress, occurred_at,
                                     completed_at, next_due_at)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::timestamptz[],
                                 $7::timestamptz[], $8::timestamptz[])
                ON CONFLICT (tenant_id, assignment_id) DO UPDATE
               SET progress = greatest(s.progress, EXCLUDED.progress), occurred_at = EXCLUDED.occurred_at,
                   completed_at = coalesce(s.completed_at, EXCLUDED.completed_at), next_due_at = EXCLUDED.next_due_at
            """,
            [row.tenant_id for row in rows],
            [row.assignment_id for row in rows],
            [row.person_id for row in rows],
            [row.training_id for row in rows],
            [row.progress_percent if isinstance(row, TrainingProgressedV1) else 100.0 for row in rows],
            [row.occurred_at for row in rows],
            [done.get(key) for key in last],
            [None if key in done else row.occurred_at + REMIND_AFTER for key, row in last.items()],
        )

    async def due(self, now: datetime, limit: int) -> Sequence[Any]:
        """Claim rows whose moment has come."""
        query = """
            SELECT * FROM states WHERE next_due_at <= $1 ORDER BY next_due_at LIMIT $2 FOR UPDATE SKIP LOCKED
        """
        return await self._connection.fetch(query, now, limit)


async def training(facts: Sequence[Fact[TrainingEvent]], now: datetime, tx: Store) -> None:
    """Save the state; each completion leaves an event."""
    await tx.save(facts)
    for fact in facts:
        if isinstance(fact.data, TrainingCompletedV1):
            tx.emit(derived("bench", fact.id), output(fact.data, now))


async def nothing(_due: Sequence[Any], _now: datetime, _tx: Store) -> None:
    """Do nothing: no row of a benchmark comes due."""


def output(data: TrainingEvent, now: datetime) -> MessageWithheldV1:
    """Say that this assignment needs no more reminders."""
    return MessageWithheldV1(
        tenant_id=data.tenant_id,
        person_id=data.person_id,
        occurred_at=now,
        about=data.assignment_id,
        rule="bench",
        step="1",
        policy_version="1",
        moment=now,
        reason="training_completed",
    )


def build(_settings: Settings, _clock: Clock) -> Service[Store]:
    """Wire the service."""
    return Service(
        name="bench",
        work=Store,
        listens=(Listen(topics.TRAINING, (TrainingProgressedV1, TrainingCompletedV1), training),),
        timers=(When("due", Store.due, nothing),),
        emits=(MessageWithheldV1,),
        waits=("states",),
        migrations="benchmarks.migrations",
    )


ENTRY = Entry("bench", Settings, build, "benchmarks.migrations")
