"""What holds a consumer until a named person lets it go on: a brake, or poison beyond measure (RELIABILITY 5.11, 8)."""

import asyncio
from collections.abc import Callable, Sequence

from duly_chassis import brakes
from duly_chassis.applying import Read
from duly_chassis.database import Connection
from duly_chassis.logs import log
from duly_chassis.recent import Recent, poison_in
from duly_chassis.starts import InPlace, survived

BRAKE_POLL_S = 1.0
LOG = log("consumer")


class Holding:
    """Keeps one consumer from writing while a brake is on; time never releases one."""

    def __init__(self, service: str, in_place: InPlace, stopping: Callable[[], bool]) -> None:
        self._service = service
        self._in_place = in_place
        self._stopping = stopping
        self._recent = Recent()
        self.by: str | None = None
        """The brake that holds this consumer, if one does."""

    def too_much(self, reads: Sequence[Read]) -> bool:
        """Tell whether these would make too much of what was read lately poison; if not, they are counted."""
        if self._recent.too_much(poison_in(reads), len(reads)):
            return True
        self._recent.note(poison_in(reads), len(reads))
        return False

    async def pass_brake(self, reads: Sequence[Read]) -> None:
        """Hold before writing when too much is poison: a bad schema must not empty the topic into dead letters."""
        if not self.too_much(reads):
            return
        reason = f"{poison_in(reads)} of {len(reads)} records in one batch could not be read"

        async def hold(connection: Connection) -> None:
            await survived(connection, {(read.record.topic, read.record.partition) for read in reads})
            await brakes.trip(connection, brakes.DEAD_LETTERS, reason)

        await self._in_place(hold)
        self._recent = Recent()
        await self.wait_for_release()  # what a person has let pass does not count again

    async def wait_for_release(self) -> None:
        """Wait, for as long as it takes, until a person has released what holds this consumer, or it stops."""
        while not self._stopping():
            holding = await self._in_place(brakes.held)
            self.by = holding[0][0] if holding else None
            if self.by is None:
                return
            LOG.error("consumer_held", service=self._service, brake=self.by, reason=holding[0][1])
            await asyncio.sleep(BRAKE_POLL_S)
