"""One service's working parts on a real database, without a broker: lanes, due loops and readers, driven by hand."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from duly_chassis import due
from duly_chassis.applying import Read
from duly_chassis.clock import DrivenClock
from duly_chassis.database import Database
from duly_chassis.dead_letters import Raw
from duly_chassis.lane import Lanes
from duly_chassis.metrics import Metrics
from duly_chassis.service import Context, Service, Step
from duly_chassis.settings import ServiceSettings
from duly_chassis.traces import Traces
from duly_chassis.wake import Wake
from duly_contracts.decode import Decoder
from tests.support import databases


@dataclass
class Bench:
    """A service's parts, and a look at its tables from outside."""

    service: Service[Any]
    settings: ServiceSettings
    database: Database
    clock: DrivenClock
    metrics: Metrics
    lanes: Lanes
    outside: "asyncpg.Connection[asyncpg.Record]"
    """The superuser's connection, with the service's schema on its path."""
    traces: Traces

    def reads(self, records: Sequence[Raw]) -> list[Read]:
        """Decode records as the consumer does."""
        decoder = Decoder(event for listen in self.service.listens for event in listen.types)
        return [Read(one, decoder.decode(one.topic, one.key, one.headers, one.value)) for one in records]

    async def apply(self, *records: Raw) -> None:
        """Apply these records as one lane of one batch."""
        await self.lanes.apply(self.reads(records), lambda: False)

    def context(self) -> Context:
        """Return what a loop of the service's own is given."""
        return Context(
            self.database,
            self.clock,
            self.metrics,
            Wake(),
            lambda: None,
            lambda: None,
            self.service.source,
            lambda: None,
            self.traces,
        )

    def timer(self, number: int = 0, batch_max: int = 1000) -> Step:
        """Return one of the service's due loops, as a step to be taken by hand."""
        return due.step(self.service, self.service.timers[number], self.context(), batch_max=batch_max)

    async def column(self, query: str, *arguments: Any) -> list[Any]:
        """Return one column from outside."""
        return [row[0] for row in await self.outside.fetch(query, *arguments)]

    async def dead_letters(self) -> list[tuple[int, str]]:
        """Return what lies among the dead letters: offset and reason."""
        rows = await self.outside.fetch('SELECT "offset", reason FROM dead_letters ORDER BY "offset"')
        return [(row["offset"], row["reason"]) for row in rows]

    async def outgoing(self) -> list[str]:
        """Return the types of events in the outbox, in their order."""
        return await self.column(
            """
            SELECT (SELECT h->>1 FROM json_array_elements(headers) AS h WHERE h->>0 = 'ce_type') FROM outbox ORDER BY id
            """
        )


@asynccontextmanager
async def bench(
    service: Service[Any], settings: ServiceSettings, now: datetime, traces: Traces | None = None
) -> AsyncIterator[Bench]:
    """Open a service's parts for as long as the block lasts."""
    traces = traces or Traces()
    database, clock, metrics = Database(settings), DrivenClock(now), Metrics(service.name)
    async with databases.connected(settings.database_url.get_secret_value(), service.name) as outside:
        await database.open()
        try:
            lanes = Lanes(service, database, clock, metrics, traces)
            yield Bench(service, settings, database, clock, metrics, lanes, outside, traces)
        finally:
            await database.close()
