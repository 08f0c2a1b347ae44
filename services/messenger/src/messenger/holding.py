"""What a sending loop does about brakes, inside its own transactions: pass over what is held (RELIABILITY 8)."""

from collections.abc import Sequence
from datetime import datetime

from messenger.braking import Brake, covering
from messenger.claims import Claimed
from messenger.held_rows import HeldRows


async def passing(
    tx: HeldRows, channel: str, claimed: Sequence[Claimed], brakes: Sequence[Brake], now: datetime
) -> list[Claimed]:
    """Return what no brake holds; all else that is due of the same tenants is held with it, in one statement."""
    rows = [row for row, _, _ in claimed]
    found = covering(rows, brakes)
    if not found:
        return list(claimed)
    found = covering(rows, await tx.still(sorted({one.id for one in found.values()})))
    await tx.hold_due(channel, found, now)
    return [one for one in claimed if one[0].tenant_id not in found or not found[one[0].tenant_id].covers(one[0])]
