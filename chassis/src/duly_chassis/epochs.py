"""Notices a rebuilt broker: without this, offsets that start again at 0 would pass for redeliveries and be dropped.

Another cluster id is certain, and a new epoch is opened by itself. The same cluster with a log shorter than what was
applied (a topic deleted and created again, records lost) is held for a person, and so is one that now begins behind it:
what lay between was deleted before it was applied, and Kafka's clients pass over such a gap in silence.
"""

import zlib
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from duly_chassis import brakes, offsets
from duly_chassis.database import Connection, Database
from duly_chassis.logs import log
from duly_chassis.service import Service
from duly_chassis.settings import ServiceSettings

ASK_DEADLINE_MS = 10_000
LOG = log("epochs")


class Epochs:
    """Compares what was applied with what the broker has, in the topics that this release listens to."""

    def __init__(self, service: Service[Any], settings: ServiceSettings, database: Database) -> None:
        self._service = service
        self._settings = settings
        self._database = database
        self._lock = zlib.crc32(f"duly-epochs-{service.name}".encode())  # two looks at once would hold each other up

    async def verify(self) -> bool:
        """Open an epoch where the cluster is another one, trip a brake where records are missing; True: neither."""
        if not self._service.topics:
            return True  # who listens to nothing has applied nothing
        async with self._database.transaction() as connection:
            known = await offsets.stored(connection)  # before the ends are asked for: they only grow meanwhile
        cluster_id, begins, ends = await self._ask()
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", self._lock)
            now = await offsets.stored(connection)  # another look may have begun an epoch while this one asked
            known = {place: held for place, held in known.items() if held.next_offset <= now[place].next_offset}
            other = {place for place, held in known.items() if held.cluster_id not in (None, cluster_id)}
            if other:
                LOG.error("broker_rebuilt", service=self._service.name, partitions=len(other))
                await offsets.open_epoch(connection, other, cluster_id)
            await offsets.adopt(connection, cluster_id)
            reached = {place: held.next_offset for place, held in known.items() if place not in other}
            short = {place for place, next_offset in reached.items() if place in ends and ends[place] < next_offset}
            if short:
                if not await self._let(connection, brakes.SHORT_LOG, short, "ends before what was applied"):
                    return False
                await offsets.open_epoch(connection, short, cluster_id)
            # An epoch that has just begun has applied nothing that could be missing: its offset is 0.
            gaps = {
                place: begins[place]
                for place in reached.keys() - short
                if 0 < now[place].next_offset < begins.get(place, 0)
            }
            if gaps:
                why = "begins behind what was applied, what lay between is gone"
                if not await self._let(connection, brakes.LOST_RECORDS, gaps.keys(), why):
                    return False
                await offsets.advance(connection, gaps)
            return True

    async def _let(self, connection: Connection, brake: str, places: Collection[offsets.Partition], why: str) -> bool:
        """Tell whether a person has let this pass; if not, hold the consumer until one does."""
        if await self._released(connection, brake):
            return True
        topic, partition = min(places)
        await brakes.trip(connection, brake, f"{topic}[{partition}] {why}, as do {len(places)} partitions")
        return False

    async def _released(self, connection: Connection, brake: str) -> bool:
        """Tell whether a person has just said that the log is as it should be; that counts once."""
        return bool(
            await connection.fetchval(
                """
                UPDATE brakes SET spent_at = clock_timestamp()
                 WHERE name = $1 AND released_at IS NOT NULL AND spent_at IS NULL
                RETURNING true
                """,
                brake,
            )
        )

    async def _ask(self) -> tuple[str, dict[offsets.Partition, int], dict[offsets.Partition, int]]:
        """Ask the broker who it is, and where its logs begin and end."""
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._settings.kafka_bootstrap, request_timeout_ms=ASK_DEADLINE_MS
        )
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap, request_timeout_ms=ASK_DEADLINE_MS
        )
        try:
            await admin.start()
            await consumer.start()
            cluster_id = (await admin.describe_cluster())["cluster_id"]
            places = [
                TopicPartition(topic.name, number)
                for topic in self._service.topics
                for number in range(topic.partitions)
            ]
            begins = await consumer.beginning_offsets(places)
            ends = await consumer.end_offsets(places)
            return str(cluster_id), _plain(begins), _plain(ends)
        finally:
            await consumer.stop()
            await admin.close()


def _plain(known: Mapping[TopicPartition, int]) -> dict[offsets.Partition, int]:
    return {(place.topic, place.partition): offset for place, offset in known.items()}
