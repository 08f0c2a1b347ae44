"""The toy as a whole service: FastStream, Kafka, HTTP, loops, on this test's database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from duly_chassis import serving
from duly_chassis.clock import DrivenClock
from duly_chassis.host import Host
from tests.support import toy
from tests.support.waiting import until

GROUP = "duly-toy"


@dataclass
class Hosted:
    """A running toy and where it answers."""

    host: Host
    address: str


@asynccontextmanager
async def hosted(
    settings: toy.ToySettings, switches: toy.Switches | None = None, *, ready: bool = True
) -> AsyncIterator[Hosted]:
    """Run the toy for as long as the block lasts; `ready` waits until it says so."""
    host = Host(toy.service(switches or toy.Switches.free()), settings, DrivenClock(toy.NOW))
    async with serving.running(host) as address:
        if ready:
            await serving.settled([host], 20)
        yield Hosted(host, address)


class Outside:
    """The toy's tables as the superuser sees them."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.connection = connection

    async def happened(self) -> list[str]:
        """Return the assignments that were noted, in order."""
        rows = await self.connection.fetch("SELECT assignment_id FROM happened ORDER BY id")
        return [row["assignment_id"] for row in rows]

    async def dead_letters(self) -> int:
        """Count the dead letters."""
        return int(await self.connection.fetchval("SELECT count(*) FROM dead_letters"))

    async def until_happened(self, number: int) -> list[str]:
        """Wait until this many facts were noted; return them."""

        async def enough() -> bool:
            return len(await self.happened()) >= number

        await until(enough)
        return await self.happened()
