"""Health that asks: each loop for life, the database for a write, the broker and each partition for progress.

Liveness is the loops' heartbeats alone; a database that is away is no reason to kill a process that waits for it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from faststream.kafka import KafkaBroker

from duly_chassis.consumer import Consumer
from duly_chassis.database import Database
from duly_chassis.faults import label
from duly_chassis.lane import Lanes
from duly_chassis.loops import Supervised
from duly_chassis.metrics import Metrics

ASK_DEADLINE_S = 2.0  # below any orchestrator's own
CACHE_S = 1.0  # a probe that fails takes its whole deadline: do not let probes queue up
STALL_S = 30.0  # a partition with lag that does not move for this long is stuck (I10)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing asked, and what the answer was; `said` is empty when all is well."""

    name: str
    said: str = ""


class Progress:
    """Watches the consumer's partitions: aiokafka can stop without saying so (aiokafka#1037, #1154)."""

    def __init__(self, subscriber: Any) -> None:
        self._subscriber = subscriber
        self._moved: dict[Any, tuple[int, float]] = {}
        self.seen: dict[Any, tuple[int, int]] = {}
        """Position and end of each partition when last asked; empty when the broker did not answer."""

    async def stuck(self) -> str:
        """Ask where the logs end and return what lags without moving, or why nobody can tell."""
        self.seen, consumer = {}, self._subscriber.consumer
        if consumer is None:
            return "not started"
        assigned = consumer.assignment()
        if not assigned:
            self._moved.clear()
            return ""  # with more replicas than partitions one of them rightly has none
        ends = await consumer.end_offsets(list(assigned))
        now_s = time.monotonic()
        late, seen_now = [], {}
        for place, end in ends.items():
            position = await consumer.position(place)
            seen_now[place] = position, end
            seen = self._moved.get(place)
            if position >= end or seen is None or seen[0] != position:
                self._moved[place] = (position, now_s)
            elif now_s - seen[1] > STALL_S:
                late.append(f"{place.topic}[{place.partition}]")
        self.seen = seen_now
        return f"stuck: {', '.join(sorted(late)[:5])}" if late else ""


class Reachable(Progress):
    """For a service that listens to nothing: no partition could move, so the broker itself is asked for an answer."""

    def __init__(self, broker: KafkaBroker) -> None:
        super().__init__(None)
        self._broker = broker

    async def stuck(self) -> str:
        """Return what keeps the broker from being reached, or nothing."""
        return "" if await self._broker.ping(ASK_DEADLINE_S / 2) else "no answer"


class Health:
    """Answers liveness and readiness for one service."""

    def __init__(
        self,
        loops: Sequence[Supervised],
        database: Database,
        consumer: Consumer,
        lanes: Lanes,
        progress: Progress,
        metrics: Metrics,
        started: Callable[[], bool],
    ) -> None:
        self._loops = loops
        self._database = database
        self._consumer = consumer
        self._lanes = lanes
        self._progress = progress
        self._metrics = metrics
        self._started = started
        self._cached: tuple[float, list[Finding]] | None = None
        self._asking = asyncio.Lock()

    def live(self) -> list[Finding]:
        """Return what each loop's heartbeat says."""
        for loop in self._loops:
            self._metrics.heartbeat_age_seconds.labels(self._metrics.service, loop.name).set(loop.age_s)
        return [Finding(f"loop {loop.name}", "" if loop.alive else "no heartbeat") for loop in self._loops]

    async def ready(self) -> list[Finding]:
        """Ask everything a service needs; answers are kept for a second."""
        async with self._asking:
            if self._cached is None or time.monotonic() - self._cached[0] > CACHE_S:
                self._cached = (time.monotonic(), await self._ask())
            return self._cached[1]

    async def _ask(self) -> list[Finding]:
        asked = await asyncio.gather(
            self._within("database", self._write), self._within("broker", self._progress.stuck)
        )
        waiting = [Finding(f"loop {loop.name} waits", loop.trouble) for loop in self._loops if loop.trouble]
        return [
            *asked,
            *self.live(),
            *waiting,
            Finding("started", "" if self._started() else "not yet"),
            Finding("lanes", self._lanes.trouble or ""),
            Finding("brake", f"held: {self._consumer.holding.by}" if self._consumer.holding.by else ""),
        ]

    async def _within(self, name: str, ask: Callable[[], Any]) -> Finding:
        try:
            async with asyncio.timeout(ASK_DEADLINE_S):
                return Finding(name, await ask())
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is: not ready
            return Finding(name, label(error))

    async def _write(self) -> str:
        async with self._database.transaction() as connection:
            await connection.execute(
                """
                INSERT INTO health (id, written_at) VALUES (1, clock_timestamp())
                    ON CONFLICT (id) DO UPDATE SET written_at = EXCLUDED.written_at
                """
            )
        return ""
