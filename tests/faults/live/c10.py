"""C10: what ends a message is committed around the message's very moment, a third of them within 5 ms of it.

Each race is one request, told ahead with its moment to the millisecond, and one completion, told so long before its
aim as messenger lately took from the telling to its commit.

Two instants of one clock decide, for everything runs on one machine. The stop's is the time that PostgreSQL wrote into
its commit record (track_commit_timestamp): it lies before the commit returns, so it is the stricter of the two. The
body's is bounded from below by the mail server: it notes each turn of its loop, and bytes that it reads now had not
arrived before the turn before the last, or it would have read them then. So a server that was slow to read is not
taken for a sender that was late, and a body that began after the stop is proven to have.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from signal import SIGINT
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer

from tests.faults.live.feeding import Line, record
from tests.faults.live.place import Diary
from tests.faults.live.rig import Rig
from tests.faults.live.story import Fact, instant

RACES, CLOSE = 500, 167
DEED, CLOSE_DEED = "race", "race within 5 ms"
MADE = 800
A_SECOND = 14.0
CLOSE_SHARE = 0.8
WIDE_S, CLOSE_S = 0.5, 0.005
TOLD_AHEAD_S = 2.5
FIRST_AFTER_S = 4.0
LEARN_EVERY_S = 0.7
LEARN_FROM = 40
ALL_WITHIN_S = 60.0
SETTINGS = {"DULY_MESSENGER_TICK_INTERVAL_S": "0.01"}
COMPLETED = "duly.training.completed.v1"
COMMITS = """
    SELECT tenant_id, about, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at
      FROM messenger.stops WHERE facts ? 'duly.training.completed.v1'
"""


@dataclass(frozen=True, slots=True)
class Race:
    """One message and its end."""

    tenant: str
    person: str
    about: str
    moment: float  # seconds since 1970
    aim_s: float  # where the stop should be committed, from the moment on

    def request(self, now: float) -> Fact:
        """Ask for the message, with its moment."""
        at = {"not_before": _instant(self.moment), "useful_until": _instant(self.moment + 86_400)}
        values = {"training_title": f"Safety TRNG{self.tenant}{self.about}x", "due_at": at["useful_until"], "days": "1"}
        own = {"outreach_id": str(self._id), "about": self.about, "message": "deadline-reminder", "step": "1"}
        ends = [{"type": COMPLETED, "about": self.about}]
        more = {**own, **at, "dedupe_key": f"{self.about}/1", "ends_when": ends, "values": values}
        return self._fact("outreach.requested.v1", str(self._id), now, more)

    def stop(self, now: float) -> Fact:
        """Tell that it is pointless."""
        return self._fact("training.completed.v1", self.about, now, {"assignment_id": self.about, "training_id": "t1"})

    @property
    def _id(self) -> UUID:
        return UUID(bytes=f"{self.tenant}{self.about}".encode().rjust(16, b"0")[-16:], version=4)

    def _fact(self, kind: str, subject: str, now: float, more: dict[str, Any]) -> Fact:
        data = {"tenant_id": self.tenant, "person_id": self.person, "occurred_at": _instant(now), **more}
        return Fact(0, kind, f"{self.tenant}-{self.about}-{kind}", subject, data)


async def strike(rig: Rig) -> None:
    """Tell all races, each fact in its time, and write down when each stop was committed."""
    await _commit_times(rig)
    await rig.all_ready()
    await asyncio.sleep(FIRST_AFTER_S)  # until the people are known
    producer = AIOKafkaProducer(bootstrap_servers=rig.bootstrap, acks="all", linger_ms=0)
    await producer.start()
    connection = await asyncpg.connect(rig.database_url)
    teller = Teller(rig, producer, connection)
    try:
        await teller.tell(list(races(rig)))
        commits = await teller.commits()
    finally:
        await connection.close()
        await producer.stop()
    _note(rig, teller.told, commits)


def races(rig: Rig) -> Iterator[Race]:
    """Draw the races from the seed."""
    begin = time.time() + FIRST_AFTER_S
    for number in range(MADE):
        tenant = rig.dice.choice(rig.tenants)
        moment = round(begin + (number + rig.dice.random()) / A_SECOND, 3)
        close = rig.dice.random() < CLOSE_SHARE
        aim_s = rig.dice.uniform(-CLOSE_S, CLOSE_S) if close else rig.dice.uniform(-WIDE_S, WIDE_S)
        yield Race(tenant, f"p{number % 40:04}", f"x{number:05}", moment, aim_s)


class Teller:
    """Tells the races, and learns how long a stop is under way."""

    def __init__(self, rig: Rig, producer: AIOKafkaProducer, connection: "asyncpg.Connection[Any]") -> None:
        self._rig = rig
        self._producer = producer
        self._connection = connection
        self._lines: list[Line] = []
        self._sent: list[Awaitable[Any]] = []
        self._way_s = 0.02
        self._stopped_at: dict[tuple[str, str], float] = {}
        self.told: list[Race] = []

    async def tell(self, planned: list[Race]) -> None:
        """Tell each request ahead, each stop when it is time for it."""
        learning = asyncio.create_task(self._learn())
        try:
            async with asyncio.TaskGroup() as tasks:
                for race in planned:
                    await _until(race.moment - TOLD_AHEAD_S)
                    await self._say(race.request(time.time()))
                    tasks.create_task(self._stop(race))
                    self.told.append(race)
            await asyncio.gather(*self._sent)
        finally:
            learning.cancel()
            Diary(self._rig.place.note("raw")).say_all(self._lines)

    async def commits(self) -> dict[tuple[str, str], float]:
        """Return when each stop was committed, once all are; raises TimeoutError."""
        async with asyncio.timeout(ALL_WITHIN_S):
            while True:
                found = await self._committed()
                if len(found) >= len(self.told):
                    return found
                await asyncio.sleep(LEARN_EVERY_S)

    async def _stop(self, race: Race) -> None:
        """Wake shortly before the time, for what was learnt meanwhile."""
        await _until(race.moment - WIDE_S - 0.3)
        await _until(race.moment + race.aim_s - self._way_s - 0.05)
        await _until(race.moment + race.aim_s - self._way_s)
        self._stopped_at[race.tenant, race.about] = now = time.time()
        await self._say(race.stop(now))

    async def _say(self, fact: Fact) -> None:
        line: Line = {
            "chunk": 0,
            "topic": fact.topic,
            "key": fact.key,
            "headers": fact.headers(),
            "value": json.dumps(fact.data),
        }
        self._sent.append(await self._producer.send(fact.topic, **record(line)))
        self._lines.append(line)  # to the disk later: that takes longer than a race may

    async def _committed(self) -> dict[tuple[str, str], float]:
        return {(row["tenant_id"], row["about"]): row["at"] for row in await self._connection.fetch(COMMITS)}

    async def _learn(self) -> None:
        while True:
            await asyncio.sleep(LEARN_EVERY_S)
            found = await self._committed()
            ways = [found[who] - at for who, at in list(self._stopped_at.items())[-LEARN_FROM:] if who in found]
            if ways:
                self._way_s = statistics.median(ways)


async def _commit_times(rig: Rig) -> None:
    """Have PostgreSQL keep the time of each commit, which needs it started anew."""
    connection = await asyncpg.connect(rig.database_url)
    await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    await connection.close()
    async with rig.blow("restart", "database"):
        await rig.postgres.strike(SIGINT)
        await rig.postgres.up()


def _note(rig: Rig, told: list[Race], commits: dict[tuple[str, str], float]) -> None:
    """Write down the commits, and each race that came as close as it should."""
    entries = [{"tenant": tenant, "about": about, "committed": at} for (tenant, about), at in commits.items()]
    Diary(rig.place.note("commits")).say_all(entries)
    off_s = [abs(commits[race.tenant, race.about] - race.moment) for race in told]
    rig.faults.say_all([{"deed": DEED, "target": "stops"} for off in off_s if off <= WIDE_S])
    rig.faults.say_all([{"deed": CLOSE_DEED, "target": "stops"} for off in off_s if off <= CLOSE_S])
    rig.say(f"{sum(off <= CLOSE_S for off in off_s)} of {len(off_s)} within 5 ms\n")


async def _until(moment: float) -> None:
    left_s = moment - time.time()
    if left_s > 0:
        await asyncio.sleep(left_s)


def _instant(moment: float) -> str:
    return instant(datetime.fromtimestamp(moment, UTC))
