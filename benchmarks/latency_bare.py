"""Baseline: the lanes of state_bare.py at light load, which note when each event was committed; none of our code."""

import asyncio
import json
import sys
import time
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks import child
from benchmarks.state_bare import LANES, OUTPUT_TOPIC, TOPIC, WAIT_MS, lane

SETTLE_S = 1.0


async def loop(consumer: Any, producer: Any, pool: Any, committed: dict[str, float]) -> None:
    """Read, apply, note, publish and acknowledge, until cancelled."""
    while True:
        batch = await consumer.getmany(timeout_ms=WAIT_MS)
        lanes: list[list[Any]] = [[] for _ in range(LANES)]
        for place, records in batch.items():
            lanes[place.partition % LANES] += records
        applied = await asyncio.gather(*(lane(pool, records) for records in lanes if records))
        at = time.monotonic()
        for record in (record for records in lanes for record in records):
            committed.setdefault(dict(record.headers)["ce_id"].decode(), at)
        sends = [await producer.send(OUTPUT_TOPIC, value, key=key) for outputs in applied for key, value in outputs]
        await asyncio.gather(*sends)
        if batch:
            await consumer.commit()


async def main(arguments: dict[str, Any]) -> None:
    """Run the loop until the benchmark has sent all, then say when what was committed."""
    bootstrap = arguments["kafka_bootstrap"]
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id="bench-bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2)
    pool = await asyncpg.create_pool(arguments["database_url"], min_size=LANES, max_size=LANES)
    await consumer.start()
    await producer.start()
    committed: dict[str, float] = {}
    task = asyncio.create_task(loop(consumer, producer, pool, committed))
    try:
        await child.go()
        await asyncio.sleep(SETTLE_S)
        child.say(committed=committed)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await producer.stop()
        await consumer.stop()
        await pool.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
