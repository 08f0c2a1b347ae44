"""Where a benchmark runs: a real broker and a real database of its own, in a folder that is gone afterwards."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks import state_bare, state_naive
from benchmarks.events import Message
from benchmarks.state_service import ENTRY
from duly_chassis import entries, kafka_topics, migrate
from duly_local.stack import Endpoints, Stack

QUIX_TOPICS = ("bench.quix", "bench.quix-out")  # as in state_quix.py, which cannot be imported here
PARTITIONS = 6  # as many as Duly's topics have
SEND_DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Place:
    """A running stack, and a folder for what arms write."""

    endpoints: Endpoints
    folder: Path

    def log(self, name: str) -> Path:
        """Name the file for an arm's stderr."""
        return self.folder / f"{name}.log"

    def settings(self) -> dict[str, Any]:
        """Return what every service needs to know."""
        return {
            "kafka_bootstrap": self.endpoints.kafka_bootstrap,
            "database_url": self.endpoints.database_url,
            "log_level": "error",
        }

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Have the broker hold these records; returns when it has them all."""
        asyncio.run(_publish(self.endpoints.kafka_bootstrap, topic, messages))


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Give a folder that others may enter too: PostgreSQL of root runs as nobody and must reach its data below."""
    folder = Path(tempfile.mkdtemp(prefix="duly-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running() -> Iterator[Place]:
    """Start the stack with every schema and topic, and stop it whatever happens."""
    with empty_folder() as folder, Stack(folder / "state", inbox=False) as endpoints:
        migrate.schemas(endpoints.database_url, [*entries.every(), ENTRY], lambda _text: None)
        asyncio.run(_prepare(endpoints))
        yield Place(endpoints, folder)


async def _prepare(endpoints: Endpoints) -> None:
    await kafka_topics.create(endpoints.kafka_bootstrap, lambda _text: None)
    admin = AIOKafkaAdminClient(bootstrap_servers=endpoints.kafka_bootstrap)
    await admin.start()
    try:
        bare, naive = (state_bare.TOPIC, state_bare.OUTPUT_TOPIC), (state_naive.TOPIC, state_naive.OUTPUT_TOPIC)
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (*bare, *naive, *QUIX_TOPICS)])
    finally:
        await admin.close()
    connection = await asyncpg.connect(endpoints.database_url)
    try:
        await connection.execute(state_bare.SCHEMA)
        await connection.execute(state_naive.SCHEMA)
    finally:
        await connection.close()


async def _publish(bootstrap: str, topic: str, messages: Sequence[Message]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_batch_size=262_144)
    await producer.start()
    try:
        async with asyncio.timeout(SEND_DEADLINE_S):
            sends = [
                await producer.send(topic, message.value, key=message.key, headers=message.headers)
                for message in messages
            ]
            await asyncio.gather(*sends)
    finally:
        await producer.stop()
