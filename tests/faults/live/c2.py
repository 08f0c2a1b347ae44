"""C2: PostgreSQL ends at once and comes back, its backends are terminated, and answers to COMMIT are cut off."""

import asyncio
import signal
from typing import Any

import asyncpg

from tests.faults.live.rig import Rig

CRASHES, TERMINATIONS, CUTS = 6, 50, 20
DOWN_S_MAX = 1.5
PAUSE_S = 0.3
COMMIT_WITHIN_S = 20
SIGNALS = (signal.SIGQUIT, signal.SIGKILL)  # immediate stop, and no stop at all


async def strike(rig: Rig) -> None:
    """Deal the smaller blows in an order drawn from the seed, with the crashes spread evenly among them."""
    small = ["terminate"] * TERMINATIONS + ["cut"] * CUTS
    rig.dice.shuffle(small)
    each = len(small) / CRASHES
    outside = Outside(rig)
    try:
        for number, deed in enumerate(small):
            if number >= each * (outside.crashes + 0.5):
                await outside.crash()
            await (outside.terminate() if deed == "terminate" else outside.cut())
            await asyncio.sleep(PAUSE_S * rig.dice.uniform(0.5, 1.5))
    finally:
        await outside.close()


class Outside:
    """Strikes at the database from outside of Duly."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._connection: asyncpg.Connection[Any] | None = None
        self.crashes = 0

    async def crash(self) -> None:
        """End the server without a checkpoint, wait a moment, start it and wait until it takes connections."""
        rig = self._rig
        await self.close()
        number = SIGNALS[self.crashes % len(SIGNALS)]
        self.crashes += 1
        rig.say(f"crash {self.crashes} by {number.name}\n")
        async with rig.blow("crash", "postgres"):
            await rig.postgres.strike(number)
            await asyncio.sleep(rig.dice.uniform(0, DOWN_S_MAX))
            await rig.postgres.up()

    async def terminate(self) -> None:
        """Terminate one backend of a service, drawn from those that work before those that idle."""
        while True:
            connection = await self._connected()
            ended = await connection.fetchval(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name LIKE 'duly-%' ORDER BY (state <> 'idle') DESC, random() LIMIT 1
                """
            )
            if ended:
                self._rig.note("terminate", "postgres")
                return
            await asyncio.sleep(PAUSE_S)

    async def cut(self) -> None:
        """Have the next COMMIT through the proxy carried out, and its answer lost."""
        done = asyncio.Event()
        self._rig.proxies["postgres"].arm(done.set)
        async with asyncio.timeout(COMMIT_WITHIN_S):
            await done.wait()
        self._rig.note("cut after COMMIT", "postgres")

    async def close(self) -> None:
        """Let go of the database."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _connected(self) -> "asyncpg.Connection[Any]":
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._rig.database_url)
        return self._connection
