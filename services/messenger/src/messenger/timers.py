"""The same as handlers.py, when time passes instead of an event; what is due to be sent is in sender.py."""

from collections.abc import Sequence
from datetime import datetime

from duly_chassis import crash
from messenger import choosing, domain, outcomes
from messenger.claims import Claimed
from messenger.domain import Outreach
from messenger.ledger import Ledger


async def park(rows: Sequence[Outreach], now: datetime, tx: Ledger) -> None:
    """Park what stayed in doubt where nobody can be asked: a mail relay does not know what it accepted."""
    changes = [domain.parked(row) for row in rows]
    outcomes.emit(await tx.change(changes, now), now, tx)
    crash.at("park-decided")


async def elsewhere(rows: Sequence[Claimed], now: datetime, tx: Ledger) -> None:
    """Move on what is due on a channel that this process has not."""
    changes = [choosing.elsewhere(row, contact, stops, now) for row, contact, stops in rows]
    outcomes.emit(await tx.change(changes, now), now, tx)


async def unanswered(rows: Sequence[Claimed], now: datetime, tx: Ledger) -> None:
    """Move on what was sent and ended by nothing; what has ended meanwhile rests. Nothing is told anew."""
    await tx.change([choosing.unanswered(row, contact, stops, now) for row, contact, stops in rows], now)
