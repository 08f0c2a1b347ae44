"""What a person may say about messenger's brakes: list, hold, release. Each word leaves name, reason and time."""

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from duly_chassis.web import Refusal, needed
from messenger.limits import braking
from messenger.limits.braking import ALL, KILL_SWITCH, Brake
from messenger.sending.ledger import Ledger

TENANT = re.compile(r"[a-z0-9-]{1,40}")


async def held(tx: Ledger) -> list[dict[str, Any]]:
    """List what holds now, of all tenants; what only reports says so."""
    return [told(one) for one in await tx.brakes()]


def told(brake: Brake) -> dict[str, Any]:
    """Say what a brake holds, since when, how many messages, and on whose word."""
    return {
        "name": brake.name,
        "reason": brake.reason,
        "since": brake.held_at,
        "by": brake.held_by or "rule",
        "held": brake.number,
        "holds": brake.holds,
    }


async def hold(order: Mapping[str, Any], now: datetime, tx: Ledger) -> dict[str, Any]:
    """Stop all sends of a tenant, or of all: none begins after this has committed (RELIABILITY 8, kill switch)."""
    by, reason = needed(order, "by"), needed(order, "reason")
    tenant = scope(order)
    await tx.stop_gates()
    new = await tx.hold(KILL_SWITCH, tenant, "", reason, now, by, holds=True)
    name = next(one.name for one in await tx.brakes() if (one.kind, one.tenant_id) == (KILL_SWITCH, tenant))
    return {"held": name, "new": new}


def scope(order: Mapping[str, Any]) -> str:
    """Read whose sends are meant: one tenant's, or with `all` everybody's; raises Refusal 400 for both or none."""
    if (order.get("all") is True) == ("tenant" in order):
        raise Refusal(HTTPStatus.BAD_REQUEST, "needs_tenant_or_all")
    if order.get("all") is True:
        return ALL
    tenant = needed(order, "tenant")
    if TENANT.fullmatch(tenant) is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "needs_tenant")
    return tenant


async def release(name: str, by: str, reason: str, now: datetime, tx: Ledger) -> bool:
    """Let what a brake holds go on; what has become pointless meanwhile is closed when it is tested again."""
    try:
        kind, tenant, channel = braking.parsed(name)
    except ValueError:
        return False
    return await tx.release(kind, tenant, channel, by, reason, now)
