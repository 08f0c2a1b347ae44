"""The smallest service there can be: it notes each fact as a row, and can be told to fail in every way."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from duly_chassis import people
from duly_chassis.clock import Clock
from duly_chassis.database import Connection
from duly_chassis.service import Entry, Listen, Service, When
from duly_chassis.settings import ServiceSettings
from duly_chassis.work import Work
from duly_contracts import topics
from duly_contracts.decisions import MessageWithheldV1
from duly_contracts.decode import Fact
from duly_contracts.ids import derived
from duly_contracts.people import PersonRecordedV1
from duly_contracts.training import TrainingAssignedV1, TrainingCompletedV1

WRITE_NUL = "write a NUL"
BREAK_A_RULE = "break a rule"
RAISE = "raise"
KILL = "kill the process"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class ToySettings(ServiceSettings):
    """Nothing of its own."""

    service: ClassVar[str] = "toy"


@dataclass
class Switches:
    """How the toy misbehaves: by a fact's title, or in the middle of a transaction."""

    jammed: str = ""
    """The person whose alarm cannot be rung."""
    handled: int = 0
    """How often the handler of training facts was called."""
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a handler stands in the middle of its transaction."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Handlers wait here, inside their transaction, until it is set."""

    @classmethod
    def free(cls) -> "Switches":
        """Nothing waits."""
        switches = cls()
        switches.open.set()
        return switches


@dataclass(frozen=True)
class Alarm:
    """A row whose moment has come."""

    tenant_id: str
    person_id: str


class ToyStore(Work):
    """The toy's rows, inside one transaction."""

    async def note(self, facts: Sequence[Fact[Any]]) -> None:
        """Write one row for each fact; what was applied twice is seen twice."""
        await self._connection.executemany(
            "INSERT INTO happened (tenant_id, person_id, assignment_id, what, title) VALUES ($1, $2, $3, $4, $5)",
            [
                (
                    fact.data.tenant_id,
                    fact.data.person_id,
                    fact.data.assignment_id,
                    fact.data.type,
                    written(getattr(fact.data, "training_title", "")),
                )
                for fact in facts
            ],
        )

    async def save_people(self, facts: Sequence[Fact[PersonRecordedV1]]) -> None:
        """Take over people's records where they are newer."""
        await people.save(self._connection, facts)

    async def due(self, now: datetime, limit: int) -> list[Alarm]:
        """Claim alarms whose moment has come."""
        rows = await self._connection.fetch(
            """
            SELECT tenant_id, person_id FROM alarms WHERE next_due_at <= $1
             ORDER BY next_due_at, person_id LIMIT $2 FOR UPDATE SKIP LOCKED
            """,
            now,
            limit,
        )
        return [Alarm(row["tenant_id"], row["person_id"]) for row in rows]

    async def ring(self, alarms: Sequence[Alarm]) -> None:
        """Count one more ring for each."""
        await self._connection.executemany(
            "UPDATE alarms SET rung = rung + 1, next_due_at = NULL WHERE tenant_id = $1 AND person_id = $2",
            [(alarm.tenant_id, alarm.person_id) for alarm in alarms],
        )


def written(title: str) -> str:
    """Return what is written for a title: one of them makes the database refuse the row."""
    return "\x00" if title == WRITE_NUL else title


def withheld(tenant_id: str, person_id: str, about: str, now: datetime) -> MessageWithheldV1:
    """Return the event the toy tells the world."""
    return MessageWithheldV1(
        tenant_id=tenant_id,
        person_id=person_id,
        occurred_at=now,
        about=about,
        rule="toy",
        step="1",
        policy_version="toy",
        moment=now,
        reason="toy",
        values={},
    )


def service(switches: Switches) -> Service[ToyStore]:
    """Wire the toy."""

    async def training(facts: Sequence[Fact[Any]], now: datetime, tx: ToyStore) -> None:
        switches.handled += 1
        await tx.note(facts)
        switches.entered.set()
        await switches.open.wait()
        if any(getattr(fact.data, "training_title", "") == KILL for fact in facts):
            os.kill(os.getpid(), signal.SIGKILL)
        if any(getattr(fact.data, "training_title", "") == RAISE for fact in facts):
            raise KeyError("toy")
        for fact in facts:
            data = fact.data
            told = withheld(data.tenant_id, data.person_id, data.assignment_id, now)
            tx.emit(derived("toy", data.tenant_id, data.assignment_id, data.type), told)

    async def persons(facts: Sequence[Fact[PersonRecordedV1]], _now: datetime, tx: ToyStore) -> None:
        await tx.save_people(facts)

    async def ring(alarms: Sequence[Alarm], now: datetime, tx: ToyStore) -> None:
        await tx.ring(alarms)
        if any(alarm.person_id == switches.jammed for alarm in alarms):
            raise KeyError("toy")
        switches.entered.set()
        await switches.open.wait()
        for alarm in alarms:
            told = withheld(alarm.tenant_id, alarm.person_id, "alarm", now)
            tx.emit(derived("toy", "alarm", alarm.tenant_id, alarm.person_id), told)

    return Service(
        name="toy",
        work=ToyStore,
        listens=(
            Listen(topics.PEOPLE, (PersonRecordedV1,), persons),
            Listen(topics.TRAINING, (TrainingAssignedV1, TrainingCompletedV1), training),
        ),
        timers=(When("ring", ToyStore.due, ring),),
        emits=(MessageWithheldV1,),
        answers={"/v1/happened": happened},
        waits=("alarms",),
        migrations="tests.support.migrations",
    )


async def happened(connection: Connection, _query: object) -> list[str]:
    """Tell what a reader may see: without a word about tenants, the database must filter."""
    rows = await connection.fetch("SELECT assignment_id FROM happened ORDER BY id")
    return [row["assignment_id"] for row in rows]


def build(_settings: ToySettings, _clock: Clock) -> Service[ToyStore]:
    """Wire the toy for whoever only migrates it."""
    return service(Switches.free())


ENTRY = Entry("toy", ToySettings, build, "tests.support.migrations")
