"""The outbox's way to Kafka: in order per key, by one relay at a time, whatever the broker is doing."""

import asyncio
import zlib

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from duly_chassis import crash, outbox
from duly_chassis.database import Connection, Database
from duly_chassis.logs import log
from duly_chassis.metrics import Metrics
from duly_chassis.service import Context, Step
from duly_chassis.settings import ServiceSettings
from duly_chassis.wake import Wake

SEND_DEADLINE_S = 30
STOP_DEADLINE_S = 3
LOG = log("relay")


class Relay:
    """Publishes what the outbox holds; the advisory lock keeps a second replica from breaking the order."""

    def __init__(self, settings: ServiceSettings, database: Database, metrics: Metrics) -> None:
        self._settings = settings
        self._database = database
        self._metrics = metrics
        self._lock = zlib.crc32(f"duly-relay-{settings.service}".encode())
        self._holding: Connection | None = None
        self._producer: AIOKafkaProducer | None = None
        self._wake = Wake()

    def started(self, context: Context) -> Step:
        """Return the loop's step, woken by other replicas too: this one may publish what they have committed."""
        self._wake = context.wake
        return self.step

    async def step(self) -> bool:
        """Publish one batch; True when the outbox may hold more."""
        connection = await self._hold()
        if connection is None:
            return False  # another replica relays
        try:
            waiting = await outbox.waiting(connection, self._settings.relay_batch_max)
            if not waiting:
                return False
            crash.at("relay-read")
            await self._publish(waiting)
            crash.at("relay-published")
            await outbox.mark_published(connection, [event.id for event in waiting])
            crash.at("relay-marked")
        except KafkaError:
            raise
        except Exception:
            self._let_go()
            raise
        self._metrics.published.labels(self._metrics.service).inc(len(waiting))
        return len(waiting) == self._settings.relay_batch_max

    async def close(self) -> None:
        """Stop the producer and give the lock back."""
        await self._drop_producer()
        self._let_go()

    async def _hold(self) -> Connection | None:
        """Return the connection that holds the lock, taking it if it is free."""
        if self._holding is not None and alive(self._holding):
            return self._holding
        self._let_go()
        connection = await self._database.workers.acquire()
        self._holding, locked = connection, False
        try:
            locked = await connection.fetchval("SELECT pg_try_advisory_lock($1)", self._lock)
        except BaseException:
            self._let_go()  # without an answer nobody knows whether this session has the lock
            raise
        if locked:  # a mark that a crash of the database takes back is an event published twice: one fact
            await connection.execute("SET synchronous_commit = off")
            await connection.add_listener(f"duly_relay_{self._settings.service}", self._nudged)
        else:
            self._holding = None
            # Who relays may sleep until its next tick, while what this replica has just committed waits.
            await connection.execute("SELECT pg_notify($1, '')", f"duly_relay_{self._settings.service}")
            await self._database.workers.release(connection)
        return connection if locked else None

    def nudge(self) -> None:
        """Have it look now: events were committed."""
        self._wake.set()

    def _nudged(self, *_notification: object) -> None:
        self._wake.set()

    def _let_go(self) -> None:
        """Close the connection rather than return it: a session's lock must not live on in the pool."""
        if self._holding is not None:
            held, self._holding = self._holding, None
            if alive(held):
                held.terminate()
            release = asyncio.ensure_future(self._database.workers.release(held))
            release.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _publish(self, waiting: list[outbox.Waiting]) -> None:
        """Have the broker acknowledge every event, or raise; published twice is still one fact."""
        producer = await self._connected()
        try:
            async with asyncio.timeout(SEND_DEADLINE_S):  # aiokafka alone waits for ever (aiokafka#1101)
                sends = [
                    await producer.send(event.topic, event.value, key=event.key, headers=list(event.headers))
                    for event in waiting
                ]
                crash.at("relay-sending")
                await asyncio.gather(*sends)
        except BaseException:
            await self._drop_producer()  # an error leaves its sequence numbers in doubt (aiokafka#1017)
            raise

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.kafka_bootstrap,
                client_id=f"duly-{self._settings.service}",
                acks="all",
                enable_idempotence=True,
                linger_ms=2,
                max_batch_size=262_144,
                request_timeout_ms=15_000,
            )
            try:
                async with asyncio.timeout(SEND_DEADLINE_S):
                    await producer.start()
            except BaseException:
                await self._abandon(producer)
                raise
            self._producer = producer
        return self._producer

    async def _drop_producer(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await self._abandon(producer)

    async def _abandon(self, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(STOP_DEADLINE_S):  # stop() too can hang (aiokafka#1101)
                await producer.stop()
        except Exception:  # noqa: BLE001 - it is given up either way
            LOG.warning("producer_abandoned", service=self._settings.service)


def alive(connection: Connection) -> bool:
    """Tell whether a pool's connection lives; one that died while it was held was taken back by the pool."""
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False
