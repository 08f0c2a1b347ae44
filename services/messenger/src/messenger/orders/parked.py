"""What a person may decide about a parked message: send it again, or close it. Both leave name and time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from duly_chassis.web import Refusal, needed
from messenger.domain import Change, Outreach
from messenger.planning import choosing
from messenger.planning.hours import Hours
from messenger.sending import outcomes
from messenger.sending.ledger import Ledger

USEFUL_AGAIN = timedelta(days=1)


async def send(order: Mapping[str, Any], now: datetime, tx: Ledger) -> dict[str, str]:
    """Try a parked message once more; everything that could forbid it is tested again before it goes."""
    row = await _parked(tx, order)
    await tx.extend(row, now + USEFUL_AGAIN)
    await tx.change([Change(row, "due", "sent_again_by_person", now, row.attempt)], now, who=needed(order, "by"))
    return {"outreach_id": str(row.outreach_id), "state": "due"}


async def settle(order: Mapping[str, Any], now: datetime, tx: Ledger, *, hours: Mapping[str, Hours]) -> dict[str, str]:
    """Close a parked message on a person's word: `as` is sent or not_sent.

    What was sent waits for its end as any other does, and goes on to its next channel where its policy says so.
    """
    row = await _parked(tx, order)
    states = {"sent": "sent", "not_sent": "suppressed"}
    verdict = needed(order, "as")
    if verdict not in states:
        raise Refusal(HTTPStatus.BAD_REQUEST, "needs_as")
    change = Change(row, states[verdict], f"settled_as_{verdict}_by_person", attempt=row.attempt)
    zone = (await tx.zones([(row.tenant_id, row.person_id)])).get((row.tenant_id, row.person_id))
    change = choosing.awaiting(change, zone, hours[row.channel], now)
    outcomes.emit(await tx.change([change], now, who=needed(order, "by")), now, tx)
    return {"outreach_id": str(row.outreach_id), "state": change.state}


async def _parked(tx: Ledger, order: Mapping[str, Any]) -> Outreach:
    """Return the parked message the order is about; another tenant's is as unknown as none (404)."""
    tenant, text = needed(order, "tenant"), needed(order, "outreach_id")
    needed(order, "by")
    try:
        row = await tx.parked(tenant, UUID(text))
    except ValueError:
        row = None
    if row is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "not_parked")
    return row
