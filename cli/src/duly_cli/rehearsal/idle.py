"""Idle is proved, not guessed (ARCHITECTURE 8): ends of the topics, one snapshot of the tables, the ends again."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from duly_chassis.plain import PlainError
from duly_chassis.service import Service
from duly_contracts import topics

LOOK_PAUSE_S = 0.002
STUCK_S = 180
LOOK_DEADLINE_S = 30


class NeverIdle(PlainError):
    """The services did not come to rest; the text says what was still going on."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What one snapshot showed: what still moves, and when something will next be due."""

    moving: str
    next_due_at: datetime | None
    offsets: dict[str, dict[tuple[str, int], int]]


class Idle:
    """Asks database and broker whether all services rest."""

    def __init__(self, database_url: str, bootstrap: str, services: Sequence[Service[Any]]) -> None:
        self._database_url = database_url
        self._services = services
        self._query = snapshot(services)
        self._places = [
            TopicPartition(topic.name, number) for topic in topics.ALL for number in range(topic.partitions)
        ]
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        self._connection: asyncpg.Connection[asyncpg.Record]

    async def __aenter__(self) -> Self:
        """Connect."""
        self._connection = await asyncpg.connect(self._database_url)
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._consumer.stop()
        self._connection.terminate()

    async def wait(self, now: datetime, check: Callable[[], Awaitable[None]]) -> datetime | None:
        """Return when everything rests, with the next instant at which something is due.

        `check` is called now and then and may raise, for example when a child process has died.
        Raises NeverIdle after three minutes without rest.
        """
        since = looked = time.monotonic()
        while True:
            rest = await self._rest(now)
            if not rest.moving:
                return rest.next_due_at
            if time.monotonic() - looked > 1:
                looked = time.monotonic()
                await check()
            if time.monotonic() - since > STUCK_S:
                raise NeverIdle(f"no rest at {now.isoformat()} within {STUCK_S} s: {rest.moving}")
            await asyncio.sleep(LOOK_PAUSE_S)

    async def _rest(self, now: datetime) -> Rest:
        """Look once; the broker is asked only when the tables already look quiet."""
        rest = await self._look(now)
        if rest.moving:
            return rest
        before = await self._ends()
        rest = await self._look(now)
        behind = self._behind(rest, before)
        if rest.moving or behind:
            return Rest(rest.moving or behind, rest.next_due_at, rest.offsets)
        if await self._ends() != before:
            return Rest("the topics grew", rest.next_due_at, rest.offsets)
        return rest

    async def _ends(self) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._places)
        return ends

    def _behind(self, rest: Rest, ends: dict[TopicPartition, int]) -> str:
        for service in self._services:
            stored = rest.offsets[service.name]
            for topic in service.topics:
                for number in range(topic.partitions):
                    if stored.get((topic.name, number), 0) < ends[TopicPartition(topic.name, number)]:
                        return f"{service.name} reads {topic.name}[{number}]"
        return ""

    async def _look(self, now: datetime) -> Rest:
        rows = await self._connection.fetch(self._query, now, timeout=LOOK_DEADLINE_S)
        moving, dues, offsets = "", [], {}
        for row in rows:
            for name in ("waits_in_outbox", "due_now", "busy"):
                if row[name]:
                    moving = f"{row['service']} {name}"
            if row["next_due_at"] is not None:
                dues.append(row["next_due_at"])
            stored = json.loads(row["offsets"] or "[]")
            offsets[row["service"]] = {(topic, number): offset for topic, number, offset in stored}
        return Rest(moving, min(dues, default=None), offsets)


def snapshot(services: Sequence[Service[Any]]) -> str:
    """Write the one statement, and so the one snapshot, that looks at every service's tables.

    Names come from the services' own descriptions, never from outside.
    """
    parts = []
    for service in services:
        next_due = ", ".join(f"(SELECT min(next_due_at) FROM {service.name}.{table})" for table in service.waits)  # noqa: S608
        due = f"least({next_due})" if service.waits else "NULL::timestamptz"
        parts.append(
            f"""
            SELECT '{service.name}' AS service, {due} AS next_due_at, coalesce({due} <= $1, false) AS due_now,
                   EXISTS (SELECT FROM {service.name}.outbox WHERE published_at IS NULL) AS waits_in_outbox,
                   ({service.busy}) AS busy,
                   (SELECT json_agg(json_build_array(topic, partition, next_offset))
                      FROM {service.name}.consumer_offsets) AS offsets
            """  # noqa: S608
        )
    return " UNION ALL ".join(parts)
