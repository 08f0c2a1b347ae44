"""The same as handlers.py, when time passes: a held run that nobody decided about lapses. It is never released so."""

from collections.abc import Sequence
from datetime import datetime

from roster.rows import HeldRun
from roster.store import Store


async def lapse(held: Sequence[HeldRun], now: datetime, tx: Store) -> None:
    """Give these runs up: nothing of them was ever in force, and their personal data must not lie about."""
    for run in held:
        await tx.end(run.tenant_id, run.run, "lapsed")
        await tx.decide(run.tenant_id, run.run, "lapsed", "duly", "nobody decided in time", now)
