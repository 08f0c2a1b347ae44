"""Baseline: the handler of every tutorial, one call, one transaction, one publish and one acknowledgement per event."""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import Any

import asyncpg
import psutil
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from benchmarks import child

TOPIC, OUTPUT_TOPIC = "bench.naive", "bench.naive-out"
COMPLETED = "duly.training.completed.v1"
SCHEMA = """
CREATE SCHEMA naive;
CREATE TABLE naive.inbox (event_id text PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE naive.states (
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
SEEN = "INSERT INTO naive.inbox (event_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING true"
SAVE = """
    INSERT INTO naive.states AS s (tenant_id, assignment_id, person_id, training_id, progress, occurred_at,
                                   completed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (tenant_id, assignment_id) DO UPDATE
       SET progress = greatest(s.progress, EXCLUDED.progress), occurred_at = EXCLUDED.occurred_at,
           completed_at = coalesce(s.completed_at, EXCLUDED.completed_at)
"""


async def apply(pool: Any, event_id: str, data: dict[str, Any], *, completed: bool) -> bool:
    """Apply one event in its own transaction; tell whether it was new."""
    occurred_at = datetime.fromisoformat(data["occurred_at"])
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(SEEN, event_id):
            return False
        names = ("tenant_id", "assignment_id", "person_id", "training_id")
        values = [data[name] for name in names]
        progress = data.get("progress_percent", 100.0)
        await connection.execute(SAVE, *values, progress, occurred_at, occurred_at if completed else None)
    return True


async def main(arguments: dict[str, Any]) -> None:
    """Handle `events` records that lie ready, and take the time from the first to the last."""
    broker = KafkaBroker(arguments["kafka_bootstrap"], logger=None)
    pool = await asyncpg.create_pool(arguments["database_url"], min_size=1, max_size=3)
    times: list[float] = []
    through = asyncio.Event()

    @broker.subscriber(
        TOPIC, group_id="bench-naive", ack_policy=AckPolicy.MANUAL, auto_offset_reset="earliest", batch=False
    )
    async def handle(data: dict[str, Any], message: KafkaMessage) -> None:
        times.append(time.monotonic())
        completed = message.headers["ce_type"] == COMPLETED
        if await apply(pool, message.headers["ce_id"], data, completed=completed) and completed:
            told = {"about": data["assignment_id"], "reason": "training_completed"}
            await broker.publish(told, OUTPUT_TOPIC, key=f"{data['tenant_id']}/{data['person_id']}".encode())
        await message.ack()
        if len(times) == arguments["events"]:
            times.append(time.monotonic())
            through.set()

    await child.go()
    async with broker:
        await broker.start()
        await through.wait()
    child.say(seconds=times[-1] - times[0], rss_mb=psutil.Process().memory_info().rss / 1e6)
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
