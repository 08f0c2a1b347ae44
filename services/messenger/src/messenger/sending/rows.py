"""Between the ledger's columns and the domain's words."""

from datetime import datetime

import asyncpg
import msgspec

from duly_chassis.addresses import address_digest
from duly_contracts.outreach import Ending
from messenger.domain import Contact, Leg, Outreach

ENDINGS = msgspec.json.Decoder(tuple[Ending, ...])
FACTS = msgspec.json.Decoder(dict[str, datetime])
LEGS = msgspec.json.Decoder(tuple[Leg, ...])
NO_LEGS = "[]"
VALUES = msgspec.json.Decoder(dict[str, str])


def outreach(row: asyncpg.Record) -> Outreach:
    """Turn a ledger row into the domain's outreach."""
    return Outreach(
        tenant_id=row["tenant_id"],
        outreach_id=row["outreach_id"],
        person_id=row["person_id"],
        about=row["about"],
        step=row["step"],
        message=row["message"],
        values=VALUES.decode(row["values"]),
        ends_when=ENDINGS.decode(row["ends_when"]),
        not_before=row["not_before"],
        useful_until=row["useful_until"],
        state=row["state"],
        reason=row["reason"],
        code=row["code"],
        attempt=row["attempt"],
        next_due_at=row["next_due_at"],
        traceparent=row["traceparent"],
        channel=row["channel"],
        plan=() if row["plan"] == NO_LEGS else LEGS.decode(row["plan"]),
        plan_version=row["plan_version"],
        attempts_before=row["attempts_before"],
        leg_since=row["leg_since"],
        address=row["address"] or "",
        first_posted_at=row["first_posted_at"],
        checks=row["checks"],
        asks=row["asks"],
        approved=row["approved"],
    )


def contact(row: asyncpg.Record) -> Contact | None:
    """Turn the joined columns into the domain's contact; None when the person is not known."""
    if row["status"] is None:
        return None
    return Contact(row["status"], row["name"], row["mail"], row["zone"], row["locale"], is_dead(row), row["mobile"])


def is_dead(row: asyncpg.Record) -> bool:
    """Tell whether the address of a contact is the one that a bounce declared dead."""
    mark = row["dead_digest"]
    return mark is not None and mark == address_digest(row["tenant_id"], row["person_id"], row["mail"] or "")
