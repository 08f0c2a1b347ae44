"""The same as handlers.py, when time passes: a START that nobody confirmed lapses; the texts stay ended."""

from collections.abc import Sequence
from datetime import datetime

from intake.store import Start, Store


async def lapse(starts: Sequence[Start], now: datetime, tx: Store) -> None:
    """Give these STARTs up; who still wants texts writes START again."""
    await tx.forget_starts([(start.tenant_id, start.number_digest) for start in starts])
    for start in starts:
        await tx.decide(start.tenant_id, start.number_digest, "lapsed", "duly", "nobody confirmed in time", now)
