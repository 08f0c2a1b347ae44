"""The watcher: writes down, every second, how far each group has acknowledged and where the logs end.

Acknowledged is what was committed: a stop whose offset is behind it has ended what it ends. Once the broker was lost,
PostgreSQL is asked as well: an acknowledgement that was on its way is taken by whatever broker comes next.
"""

import asyncio
import time
from collections.abc import Mapping

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from tests.faults.live.clients import let_go
from tests.faults.live.feeding import Feeder
from tests.faults.live.place import Diary, Place

EVERY_S = 1.0
ASK_WITHIN_S = 10
GONE = (KafkaError, OSError, TimeoutError, ValueError, asyncpg.PostgresError)
FEEDS = ("duly.people", "duly.training")
OF_MESSENGER = {"duly.outreach", "duly.signals"}


class Watcher:
    """Asks the broker about these groups, for as long as its task lives."""

    def __init__(
        self, place: Place, bootstrap: str, services: tuple[str, ...], feeder: Feeder, database_url: str
    ) -> None:
        self._bootstrap = bootstrap
        self._database_url = database_url
        self._groups = {service: f"duly-{service}" for service in services}
        self._feeder = feeder
        self._diary = Diary(place.note("watch"))
        self._admin: AIOKafkaAdminClient | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self.lags: dict[str, int] = {}
        """How far each group was behind when it was last asked; empty while nobody answers."""
        self.asked_at = 0.0

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            while True:
                began, cluster = time.time(), self._feeder.cluster
                try:
                    async with asyncio.timeout(ASK_WITHIN_S):
                        await self._look(began, cluster)
                except GONE as error:
                    self.lags = {}
                    self._diary.say(cluster=cluster, failed=type(error).__name__)
                    await self.close()
                await asyncio.sleep(EVERY_S)
        finally:
            await self.close()

    async def close(self) -> None:
        """Leave the broker."""
        admin, consumer, self._admin, self._consumer = self._admin, self._consumer, None, None
        if admin is not None:
            await let_go(admin.close())
        if consumer is not None:
            await let_go(consumer.stop())

    async def _look(self, began: float, cluster: int) -> None:
        if self._admin is None or self._consumer is None:
            self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=5_000)
            await self._admin.start()
            self._consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, request_timeout_ms=5_000)
            await self._consumer.start()
        groups = {}
        for service, group in self._groups.items():
            known = await self._admin.list_consumer_group_offsets(group)
            groups[service] = {place: found.offset for place, found in known.items()}
        if cluster:
            await self._bounded(groups, cluster)
        places = {place for known in groups.values() for place in known}
        places |= {TopicPartition(topic, number) for topic in FEEDS for number in range(6)}
        ends = await self._consumer.end_offsets(list(places))
        self.lags = {
            service: sum(max(0, ends[place] - known.get(place, 0)) for place in _of(service, ends))
            for service, known in groups.items()
        }
        self.asked_at = began
        named = {_name(place): end for place, end in ends.items()}
        self._diary.say(
            cluster=cluster,
            ends=named,
            done={
                service: {_name(place): known.get(place, 0) for place in _of(service, ends)}
                for service, known in groups.items()
            },
        )

    async def _bounded(self, groups: dict[str, dict[TopicPartition, int]], cluster: int) -> None:
        """Take back what a service acknowledged without having it; each loss begins an epoch of its own."""
        connection = await asyncpg.connect(self._database_url)
        try:
            for service, known in groups.items():
                rows = await connection.fetch(
                    f"SELECT topic, partition, next_offset FROM {service}.consumer_offsets WHERE epoch >= $1",  # noqa: S608
                    cluster,
                )
                applied = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
                known.update(bounded(known, applied))
        finally:
            await connection.close()


def bounded(known: Mapping[TopicPartition, int], applied: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Return what was acknowledged, as far as it was applied since the loss."""
    return {place: min(offset, applied.get(place, 0)) for place, offset in known.items()}


def _of(service: str, ends: dict[TopicPartition, int]) -> list[TopicPartition]:
    """Return the partitions this service listens to: all here, but some topics only messenger hears."""
    return [place for place in ends if place.topic not in OF_MESSENGER or service == "messenger"]


def _name(place: TopicPartition) -> str:
    return f"{place.topic}[{place.partition}]"
