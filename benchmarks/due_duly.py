"""Arm: due rows by the chassis' due loop, with the claim and the save of reminders; each claim finds 1,000 of them."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import asyncpg

from benchmarks import child, profiling
from benchmarks.state_service import Settings
from duly_chassis import due
from duly_chassis.clock import DrivenClock
from duly_chassis.database import Database
from duly_chassis.metrics import Metrics
from duly_chassis.service import Context, Service, When
from duly_chassis.wake import Wake
from reminders.deadline import Deadline
from reminders.store import Store

ROWS = 1_000
WARMUP_CLAIMS = 5  # they also pass over what the arm before has left dead in the index


async def moved(rows: Sequence[Deadline], _now: datetime, tx: Store, *, by: timedelta) -> None:
    """Have these rows wait again, behind all others."""
    await tx.save([replace(row, next_due_at=row.next_due_at + by) for row in rows if row.next_due_at])


async def main(arguments: dict[str, Any]) -> None:
    """Move the clock by the time in which 1,000 rows come due, claim them, and so on; take the time of all claims."""
    settings = Settings(**arguments["settings"])
    database = Database(settings)
    await database.open()
    async with database.transaction() as connection:
        first = await connection.fetchval("SELECT min(next_due_at) FROM deadlines")
    clock = DrivenClock(first)
    when = When("due", Store.claim, partial(moved, by=timedelta(seconds=arguments["span_s"])))
    service = Service(
        name="bench", work=Store, listens=(), timers=(when,), emits=(), migrations="benchmarks.migrations"
    )
    context = Context(
        database, clock, Metrics("bench"), Wake(), lambda: None, lambda: None, service.source, lambda: None
    )
    once = due.step(service, when, context, batch_max=ROWS + 1)

    async def claims(number: int) -> None:
        for _ in range(number):
            clock.move_to(clock.now() + timedelta(seconds=arguments["apart_s"] * ROWS))
            await once()

    snapshot = await old_snapshot(arguments["settings"]["database_url"]) if arguments["old_snapshot"] else None
    await claims(WARMUP_CLAIMS)
    await child.go()
    before = context.metrics.due.labels("bench", "due")._value.get()  # noqa: SLF001 - as watch.py does
    with profiling.wanted():
        began = time.monotonic()
        await claims(arguments["claims"])
        seconds = time.monotonic() - began
    worked = context.metrics.due.labels("bench", "due")._value.get() - before  # noqa: SLF001 - as above
    if not 0.99 < worked / (arguments["claims"] * ROWS) < 1.01:
        raise RuntimeError(f"{worked} rows in {arguments['claims']} claims")
    child.say(seconds=seconds * arguments["claims"] * ROWS / worked)
    if snapshot:
        await snapshot.close()
    await database.close()


async def old_snapshot(database_url: str) -> Any:
    """Begin a transaction that sees all rows as they are now, and leave it open, as a backup does."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await connection.execute("SELECT FROM bench.deadlines LIMIT 1")
    return connection


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
