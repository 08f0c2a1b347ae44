"""The same as handlers.py, when time passes instead of an event; what is due to be sent is in sender.py."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from duly_chassis import crash
from messenger import domain
from messenger.domain import Outreach
from messenger.limits.braking import HELD, Brake
from messenger.limits.held_rows import FREE_MAX
from messenger.planning import choosing
from messenger.planning.hours import Hours
from messenger.sending import outcomes
from messenger.sending.claims import Claimed
from messenger.sending.ledger import Ledger


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
    crash.at("move-decided")


async def held(rows: Sequence[Claimed], now: datetime, tx: Ledger, *, hours: Mapping[str, Hours]) -> None:
    """Close what was ended while a brake held it, move on what its policy moves, and let the rest stay held."""
    changes = [choosing.held(row, contact, stops, hours[row.channel], now) for row, contact, stops in rows]
    left = [one for one in changes if one.state != HELD]
    await tx.stay_held(
        [one.outreach for one in changes if one.state == HELD],
        [one.next_due_at or one.outreach.useful_until for one in changes if one.state == HELD],
    )
    outcomes.emit(await tx.change(left, now), now, tx)


async def released(brakes: Sequence[Brake], now: datetime, tx: Ledger, *, interval: timedelta) -> None:
    """Give what a released brake held its moments, one interval apart: nothing leaves in a burst (RELIABILITY 7.11).

    Each is tested again when its moment comes, as if it had never been tested.
    """
    for brake in brakes:
        begin = max(now, brake.free_at or now)
        number = await tx.let_go(brake, begin, interval, now)
        await tx.freed(brake, begin + number * interval, spent=number < FREE_MAX)
    crash.at("held-let-go")
