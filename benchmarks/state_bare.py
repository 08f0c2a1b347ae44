"""Baseline: the loop somebody would write by hand for speed, with the same client and three lanes; none of our code.

It reads in batches, drops repeated ids, folds the state, commits to PostgreSQL, publishes, commits to Kafka. A crash
between the two commits loses outputs: that is what Duly's outbox is for, and what it costs is what is measured.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks import child

TOPIC, OUTPUT_TOPIC = "bench.bare", "bench.bare-out"
LANES = 3
WAIT_MS = 20
QUIET_S = 1.0
COMPLETED = b"duly.training.completed.v1"

SCHEMA = """
CREATE SCHEMA bare;
CREATE TABLE bare.inbox (event_id text PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE bare.states (
    tenant_id     text             NOT NULL,
    assignment_id text             NOT NULL,
    person_id     text             NOT NULL,
    training_id   text             NOT NULL,
    progress      double precision NOT NULL,
    occurred_at   timestamptz      NOT NULL,
    completed_at  timestamptz,
    PRIMARY KEY (tenant_id, assignment_id)
) WITH (fillfactor = 70);
"""
SEEN = "INSERT INTO bare.inbox (event_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING event_id"
SAVE = """
    INSERT INTO bare.states AS s (tenant_id, assignment_id, person_id, training_id, progress, occurred_at, completed_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::timestamptz[],
                         $7::timestamptz[])
        ON CONFLICT (tenant_id, assignment_id) DO UPDATE
       SET progress = greatest(s.progress, EXCLUDED.progress), occurred_at = EXCLUDED.occurred_at,
           completed_at = coalesce(s.completed_at, EXCLUDED.completed_at)
"""


class Training(msgspec.Struct):
    """The data of both event types."""

    tenant_id: str
    person_id: str
    assignment_id: str
    training_id: str
    occurred_at: datetime
    progress_percent: float = 100.0


class Output(msgspec.Struct):
    """What a completion leaves."""

    tenant_id: str
    person_id: str
    about: str
    occurred_at: datetime
    reason: str = "training_completed"


DECODE = msgspec.json.Decoder(Training).decode
ENCODE = msgspec.json.Encoder().encode


async def lane(pool: Any, records: Sequence[Any]) -> list[tuple[bytes, bytes]]:
    """Apply one lane's records in one transaction; return what must be published."""
    facts: dict[str, tuple[Training, bool]] = {}
    for record in records:
        headers = dict(record.headers)
        facts[headers["ce_id"].decode()] = DECODE(record.value), headers["ce_type"] == COMPLETED
    async with pool.acquire() as connection, connection.transaction():
        new = [facts[row["event_id"]] for row in await connection.fetch(SEEN, list(facts))]
        last = {(data.tenant_id, data.assignment_id): data for data, _ in new}
        done = {(data.tenant_id, data.assignment_id): data.occurred_at for data, completed in new if completed}
        rows = list(last.values())
        await connection.execute(
            SAVE,
            [row.tenant_id for row in rows],
            [row.assignment_id for row in rows],
            [row.person_id for row in rows],
            [row.training_id for row in rows],
            [row.progress_percent for row in rows],
            [row.occurred_at for row in rows],
            [done.get(key) for key in last],
        )
    return [
        (
            f"{data.tenant_id}/{data.person_id}".encode(),
            ENCODE(Output(data.tenant_id, data.person_id, data.assignment_id, data.occurred_at)),
        )
        for data, completed in new
        if completed
    ]


async def loop(consumer: Any, producer: Any, pool: Any, number: int, records_max: int) -> None:
    """Read, apply, publish and acknowledge until `number` records are through."""
    while number > 0:
        batch = await consumer.getmany(timeout_ms=WAIT_MS, max_records=records_max)
        lanes: list[list[Any]] = [[] for _ in range(LANES)]
        for place, records in batch.items():
            lanes[place.partition % LANES] += records
        applied = await asyncio.gather(*(lane(pool, records) for records in lanes if records))
        sends = [await producer.send(OUTPUT_TOPIC, value, key=key) for outputs in applied for key, value in outputs]
        await asyncio.gather(*sends)
        if batch:
            await consumer.commit()
        number -= sum(map(len, lanes))


async def main(arguments: dict[str, Any]) -> None:
    """Apply the warm-up, hold the consumer while the broker is filled, then let it go and take the time."""
    bootstrap = arguments["kafka_bootstrap"]
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id="bench-bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=262_144
    )
    pool = await asyncpg.create_pool(arguments["database_url"], min_size=LANES, max_size=LANES)
    await consumer.start()
    await producer.start()
    try:
        await loop(consumer, producer, pool, arguments["warmup"], arguments["records_max"])
        places = consumer.assignment()
        consumer.pause(*places)
        await asyncio.sleep(QUIET_S)
        await child.go()
        began, cpu = time.monotonic(), time.process_time()
        consumer.resume(*places)
        await loop(consumer, producer, pool, arguments["events"], arguments["records_max"])
        seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
        child.say(seconds=seconds, cpu_seconds=cpu_seconds, rss_mb=psutil.Process().memory_info().rss / 1e6)
    finally:
        await producer.stop()
        await consumer.stop()
        await pool.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
