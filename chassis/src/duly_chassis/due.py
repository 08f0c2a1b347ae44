"""Rows whose moment has come: claimed in batches, worked and committed in one transaction.

Any number of replicas share the work (SKIP LOCKED in each store's claim), and a crash gives the rows back.
"""

from typing import Any

from duly_chassis import outbox
from duly_chassis.service import Context, Service, Step, When


def step(service: Service[Any], when: When, context: Context, batch_max: int) -> Step:
    """Return one round of a due loop: claim at the business clock's now, act, write what leaves, commit."""

    async def once() -> bool:
        now = context.clock.now()
        async with context.database.transaction() as connection:
            tx = service.work(connection)
            rows = await when.claim(tx, now, batch_max)
            if not rows:
                return False
            await when.act(rows, now, tx)
            await outbox.put(connection, service.source, tx.outgoing)
        context.metrics.due.labels(service.name, when.name).inc(len(rows))
        context.committed()
        return len(rows) == batch_max

    return once
