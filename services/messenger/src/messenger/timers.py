"""The same as handlers.py, when time passes instead of an event; what is due to be sent is in sender.py."""

from collections.abc import Sequence
from datetime import datetime

from duly_chassis import crash
from messenger import domain, outcomes
from messenger.domain import Outreach
from messenger.ledger import Ledger


async def park(rows: Sequence[Outreach], now: datetime, tx: Ledger) -> None:
    """Park what stayed in doubt: a mail relay cannot be asked what it accepted, so a person decides."""
    changes = [domain.parked(row) for row in rows]
    outcomes.emit(await tx.change(changes, now), now, tx)
    crash.at("park-decided")
