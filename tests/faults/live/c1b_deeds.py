"""What leads a process to the points that no story leads to: files, decisions, dead letters replayed, bounces.

What was not answered is said again to the next life, as a person or a mail server would; in the end each of it must
have been done exactly once.
"""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

import asyncpg

from tests.faults.live.bouncing import BOUNCE_PORT, bounce
from tests.faults.live.c1b_brakes import Brakes
from tests.faults.live.place import free_ports
from tests.faults.live.points import Plan
from tests.faults.live.replica import Replica, Unanswered
from tests.faults.live.rig import Rig
from tests.faults.logs import read
from tests.faults.rules import Violation

CRASH_AT = "DULY_CRASH_AT"
FILES, HELD = "filed", "held"
"""Two tenants whose people come in files; the files of the second are held for a person."""
PEOPLE = 60
LEAVING = 4  # at once: more than 5 % of those who are there
ASK_AGAIN_S = 0.1
HEARD_WITHIN_S = 60.0
LEASE_S = 3
BEREAVED_AGAIN_S = 2.0 * LEASE_S
"""The other messenger stays dead for so long at least: what it left has lapsed by then."""
NOT_HELD = "404"


class Deeds:
    """The deeds of one service's chain."""

    def __init__(self, rig: Rig, replica: Replica, brakes: Brakes | None) -> None:
        self._brakes = brakes
        self._rig = rig
        self._replica = replica
        self._team = 0
        self._file: bytes | None = None  # not answered yet
        self._run: int | None = None  # held, and not yet known to be released
        self._left = 0
        self._released = 0
        self._letter: str | None = None
        self._other: Replica | None = None
        self._bereaved_at = 0.0
        self._bounce: str | None = None  # not answered yet
        self._bounces = 0

    async def prepare(self) -> None:
        """Have people in two rosters, or a record that nobody can read."""
        if self._replica.service == "roster":
            for tenant in (FILES, HELD):
                await self._replica.upload("/v1/roster/import", _file(range(PEOPLE), "none"), tenant=tenant)
        if self._replica.service == "messenger":
            self._replica.settings[BOUNCE_PORT] = str(next(free_ports(1)))
            line = {
                "chunk": -1,
                "topic": "duly.training",
                "key": "acme/p0001",
                "headers": [],
                "value": "{",
                "poison": 1,
            }
            await self._rig.feeder.tell_lines([line])

    def begin(self, number: int) -> None:
        """Begin a life that is to die at the n-th time; what the one before left is the first lapse it finds."""
        self._bereaved_at = 0.0 if number > 1 else time.monotonic()

    async def lead(self, by: str) -> None:
        """Do once what leads to a point; the process may die of it, or not listen yet."""
        deed = {
            "import": self._import,
            "release": self._release,
            "replay": self._replay,
            "bounce": self._deliver,
            "lapse": self._bereave,
        }
        if by in deed:
            with suppress(Unanswered):
                await deed[by]()
        if self._brakes is not None:
            await self._brakes.lead(by)

    async def died(self, plan: Plan) -> None:
        """Look, before anything is said again, at what a death must have left."""
        if self._brakes is not None:
            await self._brakes.died(plan)
        if plan.by != "release" or self._run is None:
            return
        connection = await asyncpg.connect(self._rig.database_url)
        try:
            state = await connection.fetchval(
                "SELECT state FROM roster.runs WHERE tenant_id = $1 AND run = $2", HELD, self._run
            )
        finally:
            await connection.close()
        wanted = "held" if plan.point == "order-before-commit" else "released"
        if state != wanted:
            self._rig.broken.append(Violation("half an order", f"{plan.point}: the run is {state}, not {wanted}"))

    async def judged(self) -> list[Violation]:
        """Hold in the end what is there against what was said."""
        connection = await asyncpg.connect(self._rig.database_url)
        try:
            if self._replica.service == "roster":
                return await self._judged_rosters(connection)
            if self._replica.service == "messenger":
                async with asyncio.timeout(HEARD_WITHIN_S):
                    while self._bounce is not None:  # the last one was not answered: a mail server comes again
                        await self.lead("bounce")
                        await asyncio.sleep(ASK_AGAIN_S)
                found = await connection.fetchval("SELECT count(*) FROM messenger.bounces")
                return [Violation("bounce", f"{found} taken of {self._bounces}")] if found != self._bounces else []
        finally:
            await connection.close()
        return []

    async def _import(self) -> None:
        """Tell of another team of everybody in the file, until the file is answered."""
        if self._file is None:
            self._team += 1
            self._file = _file(range(5), f"team {self._team}")
        await self._replica.upload("/v1/roster/import", self._file, tenant=FILES)
        self._file = None

    async def _release(self) -> None:
        """Hold a file that lets people go, and release it."""
        if self._run is None:
            leaving = range(self._left, self._left + LEAVING)
            told = await self._replica.upload("/v1/roster/import", _file(leaving, "none", "departed"), tenant=HELD)
            if told["state"] == "held":
                self._run = told["run"]
            else:
                self._rig.broken.append(Violation("I6 not held", str(told["state"])))
        order = {"tenant": HELD, "run": str(self._run), "by": "the rig", "reason": "campaign"}
        try:
            await self._replica.order("/v1/roster/release", **order)
        except Unanswered as error:
            if not str(error).startswith(NOT_HELD):
                raise  # else it was released by the order that was not answered
        self._run = None
        self._left += LEAVING
        self._released += 1

    async def _replay(self) -> None:
        """Replay the one dead letter there is; it stays one, for nobody can read it."""
        if self._letter is None:
            found = (await self._replica.json("/v1/dead-letters"))["groups"]
            self._letter = found[0]["group"] if found else None
        if self._letter is not None:
            await self._replica.order("/v1/dead-letters/replay", group=self._letter, by="the rig")

    async def _bereave(self) -> None:
        """Have another messenger die over its mails, now and then, for the armed one to find them.

        It has no door for bounces, which can be one process's only, and is nobody's replica else.
        """
        now = time.monotonic()
        if self._other is None:
            own = {name: value for name, value in self._replica.settings.items() if name != BOUNCE_PORT}
            port = next(free_ports(1))
            self._other = self._rig.replica("messenger", 2, port, {**own, CRASH_AT: "send-claimed:1"})
        if self._other.alive:
            self._bereaved_at = now
        elif now - self._bereaved_at > BEREAVED_AGAIN_S:
            self._bereaved_at = now
            self._rig.note("kill beside", self._other.name)
            self._other.start()

    async def close(self) -> None:
        """End whoever was started besides, and let go what is held."""
        if self._other is not None:
            await self._other.end()
        if self._brakes is not None:
            await self._brakes.close()

    async def _deliver(self) -> None:
        """Tell of a delay, to a return address that was written on a mail; again until it is taken."""
        if self._bounce is None:
            senders = [entry["from"] for entry in read(self._rig.place.note("accepts"))]
            if not senders:
                return
            self._bounces += 1
            self._bounce = senders[0]
        port = int(self._replica.settings[BOUNCE_PORT])
        await asyncio.to_thread(bounce, port, self._bounce, "delayed", "4.4.1", self._bounces)
        self._bounce = None

    async def _judged_rosters(self, connection: "asyncpg.Connection[Any]") -> list[Violation]:
        """Compare both rosters, and what messenger has heard of them, with what the files said."""
        while self._file is not None:
            await self.lead("import")
            await asyncio.sleep(ASK_AGAIN_S)
        if self._run is not None:
            await self.lead("release")
        wanted = {(FILES, f"r{number:03}"): 1 + (self._team if number < 5 else 0) for number in range(PEOPLE)}
        wanted |= {(HELD, f"r{number:03}"): 1 + (number < self._left) for number in range(PEOPLE)}
        broken = []
        for table in ("roster.people", "messenger.contacts"):
            found = await self._versions(connection, table, wanted)
            odd = {who: (found.get(who), version) for who, version in wanted.items() if found.get(who) != version}
            broken += [Violation("I1 roster", f"{table}: {json.dumps(list(odd.items())[:3])}")] if odd else []
        released = await connection.fetchval("SELECT count(*) FROM roster.runs WHERE state = 'released'")
        if released != self._released:
            broken.append(Violation("I2 released", f"{released} runs of {self._released}"))
        return broken

    async def _versions(
        self, connection: "asyncpg.Connection[Any]", table: str, wanted: dict[tuple[str, str], int]
    ) -> dict[tuple[str, str], int]:
        """Read the version of everybody in the two rosters, waiting a while for what is on its way."""
        deadline = asyncio.get_running_loop().time() + HEARD_WITHIN_S
        while True:
            query = f"SELECT tenant_id, person_id, version FROM {table} WHERE tenant_id = ANY($1)"  # noqa: S608 - ours
            rows = await connection.fetch(query, [FILES, HELD])
            found = {(row["tenant_id"], row["person_id"]): row["version"] for row in rows}
            if found == wanted or asyncio.get_running_loop().time() > deadline:
                return found
            await asyncio.sleep(ASK_AGAIN_S)


def _file(people: range, team: str, status: str = "active") -> bytes:
    """Write a part of a roster; the names are no canaries, for a person may read them in answers."""
    lines = [f"r{number:03},Person {number},r{number:03}@files.example,{team},{status}" for number in people]
    return "\n".join(["person_id,name,mail,team,status", *lines, ""]).encode()
