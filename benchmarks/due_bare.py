"""Baseline: due rows as one would take them without batches, each claimed, updated and committed by itself."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from benchmarks import child

WARMUP_ROWS = 50
ALWAYS = datetime(9000, 1, 1, tzinfo=UTC)
CLAIM = """
    SELECT * FROM bench.many WHERE next_due_at <= $1 ORDER BY next_due_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
MOVE = "UPDATE bench.many SET next_due_at = $3, recorded_at = now() WHERE tenant_id = $1 AND assignment_id = $2"


async def main(arguments: dict[str, Any]) -> None:
    """Take so many rows, one after the other, on one connection."""
    connection = await asyncpg.connect(
        arguments["database_url"], server_settings={"random_page_cost": "1.1", "jit": "off"}
    )
    by = timedelta(seconds=arguments["span_s"])

    async def take() -> None:
        async with connection.transaction():
            row = await connection.fetchrow(CLAIM, ALWAYS)
            assert row is not None
            await connection.execute(MOVE, row["tenant_id"], row["assignment_id"], row["next_due_at"] + by)

    for _ in range(WARMUP_ROWS):
        await take()
    await child.go()
    began = time.monotonic()
    for _ in range(arguments["rows"]):
        await take()
    child.say(seconds=time.monotonic() - began)
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
