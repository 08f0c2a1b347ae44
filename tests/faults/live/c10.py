"""C10: what ends a message is committed around the message's very moment, a third of them within 5 ms of it.

Each race is one request, told ahead with its moment to the millisecond, and one completion. From the telling of that
to its commit it takes tens of milliseconds, or hundreds on a busy machine, so no telling can be aimed. The commit is:
stops are told in volleys while a lock on their table keeps messenger from writing them, though not its gates from
reading them; and the lock is let go so long before the aim as messenger lately took from there to its commit. What is
late all the same spoils a volley, so volleys go on until enough races came close; all are judged, near or not.

Two instants of one clock decide, for everything runs on one machine. The stop's is the time that PostgreSQL wrote into
its commit record (track_commit_timestamp): it lies before the commit returns, so it is the stricter of the two. The
body's is bounded from below by the mail server: it notes each turn of its loop, and bytes that it reads now had not
arrived before the turn before the last, or it would have read them then. So a server that was slow to read is not
taken for a sender that was late, and a body that began after the stop is proven to have.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from signal import SIGINT
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer

from tests.faults.live.feeding import Line, record
from tests.faults.live.place import Diary
from tests.faults.live.rig import Rig
from tests.faults.live.story import Fact, instant

RACES, CLOSE = 500, 167
DEED, CLOSE_DEED = "race", "race within 5 ms"
VOLLEYS_MAX = 700
VOLLEYS_WITHIN_S = 420.0
VOLLEY_S = 0.6  # from one to the next
LOCKED_S = 0.45  # of which messenger is kept from writing; it hears of the stops meanwhile
CLOSE_EACH, WIDE_EACH = 5, 3
WIDE_S, CLOSE_S = 0.5, 0.005
AIM_S = 0.003  # of a close one: what it misses by comes on top
TOLD_AHEAD_S = 2.5
FIRST_AFTER_S = 4.0
LEARN_EVERY_S = 0.5
LEARN_FROM = 60
WAY_S = 0.006  # until the first is known
WAY_S_MAX = 0.1  # who takes longer had not heard of the stops yet when the lock was let go
ALL_WITHIN_S = 120.0
SETTINGS = {"DULY_MESSENGER_TICK_INTERVAL_S": "0.01"}
Connection: TypeAlias = "asyncpg.Connection[Any]"
Commits = Mapping[tuple[str, str], float]
"""When the stop of what was committed, in seconds since 1970: by tenant and what it ends."""
COMPLETED = "duly.training.completed.v1"
LOCK = "LOCK TABLE messenger.stops IN SHARE MODE"
"""Waited for by who writes a row, not by who locks one to read it."""
COMMITS = """
    SELECT tenant_id, about, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at
      FROM messenger.stops WHERE facts ? 'duly.training.completed.v1'
"""


@dataclass(frozen=True, slots=True)
class Volley:
    """Races of one person: their stops lie in one partition, come in one batch, and are committed at one instant."""

    aim: float  # when they should be, in seconds since 1970
    races: tuple["Race", ...]


@dataclass(frozen=True, slots=True)
class Race:
    """One message and its end."""

    tenant: str
    person: str
    about: str
    moment: float  # seconds since 1970

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
    def who(self) -> tuple[str, str]:
        """Whose it is and what it is about: no two share both."""
        return self.tenant, self.about

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
    producer = AIOKafkaProducer(bootstrap_servers=rig.bootstrap, acks="all", linger_ms=2)
    await producer.start()
    looking, locking = [await asyncpg.connect(rig.database_url) for _ in range(2)]
    teller = Teller(rig, producer, looking, locking)
    try:
        await teller.tell(list(volleys(rig)))
        commits = await teller.commits()
    finally:
        await looking.close()
        await locking.close()
        await producer.stop()
    _note(rig, teller.told, commits)


def volleys(rig: Rig) -> Iterator[Volley]:
    """Draw volleys from the seed, more than are told."""
    begin = time.time() + FIRST_AFTER_S
    for number in range(VOLLEYS_MAX):
        tenant, person, aim = rig.dice.choice(rig.tenants), f"p{number % 40:04}", begin + number * VOLLEY_S
        off_s = [rig.dice.uniform(-AIM_S, AIM_S) for _ in range(CLOSE_EACH)]
        off_s += [rig.dice.uniform(-WIDE_S, WIDE_S) for _ in range(WIDE_EACH)]
        abouts = range(number * len(off_s), (number + 1) * len(off_s))
        named = zip(abouts, off_s, strict=True)
        yield Volley(aim, tuple(Race(tenant, person, f"x{about:05}", round(aim + off, 3)) for about, off in named))


class Teller:
    """Tells the races, and learns how long messenger takes to its commit."""

    def __init__(self, rig: Rig, producer: AIOKafkaProducer, looking: Connection, locking: Connection) -> None:
        self._rig = rig
        self._producer = producer
        self._looking, self._locking = looking, locking
        self._lines: list[Line] = []
        self._sent: list[Awaitable[Any]] = []
        self._way_s = WAY_S
        self._let_go_at: dict[tuple[str, str], float] = {}
        self._found: Commits = {}
        self._in_turn = asyncio.Lock()
        self.told: list[Race] = []

    async def tell(self, planned: Sequence[Volley]) -> None:
        """Tell each request ahead, each volley of stops when it is time for it, until enough have come close."""
        ends_at = time.monotonic() + VOLLEYS_WITHIN_S
        learning = asyncio.create_task(self._learn())
        try:
            async with asyncio.TaskGroup() as tasks:
                for volley in planned:
                    if time.monotonic() > ends_at or reached(self.told, self._found):
                        break
                    await _until(volley.aim - TOLD_AHEAD_S)
                    await self._say([race.request(time.time()) for race in volley.races])
                    tasks.create_task(self._stop(volley))
                    self.told += volley.races
            await asyncio.gather(*self._sent)
        finally:
            learning.cancel()
            Diary(self._rig.place.note("raw")).say_all(self._lines)

    async def commits(self) -> Commits:
        """Return when each stop was committed, once all are; raises TimeoutError."""
        async with asyncio.timeout(ALL_WITHIN_S):
            while True:
                found = await self._committed()
                if len(found) >= len(self.told):
                    return found
                await asyncio.sleep(LEARN_EVERY_S)

    async def _stop(self, volley: Volley) -> None:
        """Tell a volley of stops to a messenger that may not write, and let it go."""
        await _until(volley.aim - LOCKED_S)
        async with self._in_turn, self._locking.transaction():
            await self._locking.execute(LOCK)
            await self._say([race.stop(time.time()) for race in volley.races])
            await _until(volley.aim - self._way_s)
            self._let_go_at |= dict.fromkeys((race.who for race in volley.races), time.time())

    async def _say(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            line = fact.line(0)
            self._sent.append(await self._producer.send(fact.topic, **record(line)))
            self._lines.append(line)  # to the disk later: that takes longer than a race may

    async def _committed(self) -> Commits:
        return {(row["tenant_id"], row["about"]): row["at"] for row in await self._looking.fetch(COMMITS)}

    async def _learn(self) -> None:
        while True:
            await asyncio.sleep(LEARN_EVERY_S)
            self._found = await self._committed()
            recent = list(self._let_go_at.items())[-LEARN_FROM:]
            ways = [self._found[who] - at for who, at in recent if who in self._found]
            if short := [way for way in ways if way < WAY_S_MAX]:
                self._way_s = statistics.median(short)


def off_s(told: Iterable[Race], commits: Commits) -> list[float]:
    """Return by how much each committed stop missed its message's moment."""
    return [abs(commits[race.who] - race.moment) for race in told if race.who in commits]


def reached(told: Iterable[Race], commits: Commits) -> bool:
    """Tell whether enough races were run, and enough of them came close."""
    off = off_s(told, commits)
    return sum(one <= WIDE_S for one in off) >= RACES and sum(one <= CLOSE_S for one in off) >= CLOSE


async def _commit_times(rig: Rig) -> None:
    """Have PostgreSQL keep the time of each commit, which needs it started anew."""
    connection = await asyncpg.connect(rig.database_url)
    await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    await connection.close()
    async with rig.blow("restart", "database"):
        await rig.postgres.strike(SIGINT)
        await rig.postgres.up()


def _note(rig: Rig, told: list[Race], commits: Commits) -> None:
    """Write down the commits, and each race that came as close as it should."""
    entries = [
        {"tenant": race.tenant, "about": race.about, "committed": commits[race.who], "moment": race.moment}
        for race in told
    ]
    Diary(rig.place.note("commits")).say_all(entries)
    off = off_s(told, commits)
    rig.faults.say_all([{"deed": DEED, "target": "stops"} for one in off if one <= WIDE_S])
    rig.faults.say_all([{"deed": CLOSE_DEED, "target": "stops"} for one in off if one <= CLOSE_S])
    rig.say(f"{sum(one <= CLOSE_S for one in off)} of {len(off)} within 5 ms\n")


async def _until(moment: float) -> None:
    left_s = moment - time.time()
    if left_s > 0:
        await asyncio.sleep(left_s)


def _instant(moment: float) -> str:
    return instant(datetime.fromtimestamp(moment, UTC))
