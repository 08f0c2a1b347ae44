"""Rows whose moment has come: claimed in batches, worked and committed in one transaction.

Any number of replicas share the work (SKIP LOCKED in each store's claim), and a crash gives the rows back. A row
that cannot be worked costs itself only: the others are worked one by one, and the loop says what is wrong.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from duly_chassis import crash, outbox
from duly_chassis.database import Connection
from duly_chassis.faults import Fault, fault, fingerprint
from duly_chassis.service import Context, Service, Step, Troubled, When
from duly_chassis.traces import Span
from duly_chassis.work import Work


def step(service: Service[Any], when: When, context: Context, *, batch_max: int) -> Step:
    """Return one round of a due loop: claim at the business clock's now, act, write what leaves, commit."""
    one_by_one = False

    async def once() -> bool:
        nonlocal one_by_one
        now, failed, spans = context.clock.now(), [], list[Span]()
        try:
            async with context.database.transaction() as connection:
                rows = await when.claim(service.work(connection), now, batch_max)
                if not rows:
                    return False
                crash.at("due-claimed")
                if one_by_one:
                    failed = [
                        said for row in rows if (said := await _alone(service, when, connection, row, now, spans))
                    ]
                else:
                    spans += await _act(service, when, connection, rows, now)
                crash.at("due-before-commit")
        except Exception as error:
            one_by_one = fault(error) in (Fault.RECORD, Fault.CODE)
            raise
        crash.at("due-after-commit")
        context.metrics.due.labels(service.name, when.name).inc(len(rows) - len(failed))
        context.traces.record(spans)
        context.committed()
        if failed:
            raise Troubled(f"{len(failed)} rows left due, the first {failed[0]}")
        one_by_one = False
        return len(rows) == batch_max

    return once


async def _act(
    service: Service[Any], when: When, connection: Connection, rows: Sequence[Any], now: datetime
) -> Sequence[Span]:
    tx: Work = service.work(connection)
    await when.act(rows, now, tx)
    await outbox.put(connection, service.source, tx.outgoing)
    return tx.spans


async def _alone(
    service: Service[Any], when: When, connection: Connection, row: Any, now: datetime, spans: list[Span]
) -> str | None:
    """Work one row under a savepoint; return where it failed, or None. What is the world's fault is raised."""
    try:
        async with connection.transaction():
            made = await _act(service, when, connection, [row], now)
    except Exception as error:
        if fault(error) in (Fault.WORLD, Fault.DEPLOYMENT):
            raise
        return fingerprint(error)
    spans += made
    return None
