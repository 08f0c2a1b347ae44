"""What people order about bounces: take these mails, and believe in an address again."""

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from duly_chassis.metrics import Metrics
from duly_chassis.web import Refusal, needed
from messenger.bounces import taking
from messenger.bounces.dsn import MAIL_BYTES_MAX
from messenger.bounces.return_path import ReturnPath
from messenger.domain import Change
from messenger.planning.hours import Hours
from messenger.store import Store

TAKE_BYTES_MAX = MAIL_BYTES_MAX * 4 // 3 + 1_000  # as base64, in its JSON


def takes(
    path: ReturnPath | None, hours: Hours
) -> Callable[[Mapping[str, Any], datetime, Store], Awaitable[dict[str, Any]]]:
    """Return the order that takes a stored mail; without a bounce domain it has nothing to compare with."""

    async def take(order: Mapping[str, Any], now: datetime, tx: Store) -> dict[str, Any]:
        if path is None:
            raise Refusal(HTTPStatus.CONFLICT, "no_bounce_domain")
        try:
            raw = b64decode(needed(order, "mail"), validate=True)
        except (binascii.Error, ValueError):
            raise Refusal(HTTPStatus.BAD_REQUEST, "needs_mail") from None
        taken = await taking.take(await taking.read(raw), await taking.from_file(raw, path), now, tx, hours)
        return {"kind": taken.kind, "outreach_id": taken.outreach_id, "changed": taken.changed}

    return take


def count(metrics: Metrics, answer: Mapping[str, Any]) -> None:
    """Count what was taken, once it is committed."""
    metrics.bounces.labels(metrics.service, answer["kind"]).inc()


async def revive(order: Mapping[str, Any], now: datetime, tx: Store) -> dict[str, str]:
    """Believe in a person's address again, on a named person's word; what waited for it looks again at once."""
    tenant, person, by = (needed(order, name) for name in ("tenant", "person", "by"))
    was_dead, told_by = await tx.revive(tenant, person)
    if not was_dead:
        raise Refusal(HTTPStatus.NOT_FOUND, "not_dead")
    if told_by is not None:
        await tx.tell(Change(told_by, told_by.state, "address_revived", attempt=told_by.attempt), now, by)
    await tx.wake_person({(tenant, person)}, now)
    return {"person_id": person, "state": "alive"}
