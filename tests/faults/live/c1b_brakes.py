"""A person holds a tenant's sends and lets them go again, while messenger dies over either word.

What was not answered is said again to the next life. A word that was committed holds, whether or not it was answered.
"""

import time
from contextlib import suppress

import asyncpg

from tests.faults.live.c1b_http import HALTS
from tests.faults.live.points import Plan
from tests.faults.live.replica import Replica, Unanswered
from tests.faults.live.rig import Rig
from tests.faults.rules import Violation

NOT_HELD = "404"
HELD_FOR_S = 1.5
READY_WITHIN_S = 120.0
HOLDS = {"hold-before-commit": False, "hold-after-commit": True}
RELEASES = {"release-before-commit": True, "release-after-commit": False}
STANDS = """
    SELECT EXISTS (SELECT FROM messenger.sending_brakes
                    WHERE tenant_id = $1 AND kind = 'kill_switch' AND released_at IS NULL)
"""


class Brakes:
    """What messenger is told of one tenant."""

    def __init__(self, rig: Rig, replica: Replica, holds: list[tuple[str, float, float]]) -> None:
        self._rig = rig
        self._replica = replica
        self._holds = holds
        self._held_at: float | None = None  # when a hold was answered
        self._released_at: float | None = None  # when its release was first asked for
        self._stood = False  # before this life, as far as anybody knows

    async def lead(self, by: str) -> None:
        """Say the next word; the process may die of it, or not listen yet."""
        with suppress(Unanswered):
            if by == "hold" or (by == "let go" and self._held_at is None):
                await self._hold()
            elif by == "let go" and time.time() - (self._held_at or 0) > HELD_FOR_S:
                await self._release()

    async def died(self, plan: Plan) -> None:
        """Look, before anything is said again, at whether the tenant is held."""
        wanted = (HOLDS | RELEASES).get(plan.point)
        stands = await self._stands()
        if wanted is False and plan.point in HOLDS:
            wanted = self._stood  # nothing was changed
        if wanted is not None and stands != wanted:
            self._rig.broken.append(Violation("half a word", f"{plan.point}: held is {stands}"))
        self._stood = stands
        if not stands:
            self._over()

    async def close(self) -> None:
        """Let the last hold go."""
        while await self._stands():
            await self._replica.until_ready(READY_WITHIN_S)
            with suppress(Unanswered):
                await self._release()

    async def _hold(self) -> None:
        await self._replica.order("/v1/brakes/hold", tenant=HALTS, by="the rig", reason="campaign")
        self._held_at, self._stood = self._held_at or time.time(), True

    async def _release(self) -> None:
        self._released_at = self._released_at or time.time()
        name = f"kill-switch:{HALTS}"
        try:
            await self._replica.order("/v1/brakes/release", name=name, by="the rig", reason="campaign")
        except Unanswered as error:
            if not str(error).startswith(NOT_HELD):
                raise  # else it was released by the word that was not answered
        self._stood = False
        self._over()

    def _over(self) -> None:
        """Write down how long nothing may have been sent."""
        if self._held_at is not None:
            self._holds.append((HALTS, self._held_at, self._released_at or self._held_at))
        self._held_at = self._released_at = None

    async def _stands(self) -> bool:
        connection = await asyncpg.connect(self._rig.database_url)
        try:
            return bool(await connection.fetchval(STANDS, HALTS))
        finally:
            await connection.close()
