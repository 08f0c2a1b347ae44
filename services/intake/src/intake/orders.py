"""What people decide about texts: confirm a START for their tenant, and close what they have read."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from duly_chassis.web import Refusal, needed
from duly_contracts.envelope import instant
from duly_contracts.ids import derived
from intake.handlers import opted_in
from intake.store import Store

TEXT_CHARACTERS_MAX = 200


async def confirm(order: Mapping[str, Any], now: datetime, tx: Store) -> dict[str, str]:
    """Bring a number's texts back for one tenant, on a named person's word; only after its START (S-67)."""
    tenant, digest, by, why = (_short(order, name) for name in ("tenant", "number_digest", "by", "reason"))
    found = await tx.forget_starts([(tenant, digest)])
    if not found:
        raise Refusal(HTTPStatus.NOT_FOUND, "no_such_start")
    event_id = derived("sms-confirmed", tenant, digest, instant(found[0].at))
    tx.emit(event_id, opted_in(tenant, digest, found[0].key_mark, by, now))
    await tx.decide(tenant, digest, "confirmed", by, why, now)
    return {"number_digest": digest, "state": "confirmed"}


async def close(order: Mapping[str, Any], now: datetime, tx: Store) -> dict[str, str]:
    """Forget the words of a text that a person has read; the block stays until it is lifted."""
    tenant, key, by, why = (_short(order, name) for name in ("tenant", "key", "by", "reason"))
    digest = await tx.close_review(tenant, key)
    if digest is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "no_such_review")
    await tx.decide(tenant, digest, "reviewed", by, why, now)
    return {"key": key, "state": "reviewed"}


def _short(order: Mapping[str, Any], name: str) -> str:
    text = needed(order, name)
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"long_{name}")
    return text
