"""What happens with a mail that came back, through whichever door: read, find the message, decide, save, tell.

Nothing is ever answered: not the mail, not its sender, and whether a return address was forged is not said either.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from duly_chassis.addresses import address_digest
from messenger.bounces import dsn
from messenger.bounces import effects as bounces
from messenger.bounces.effects import Kind, Report
from messenger.bounces.return_path import ReturnPath, Ticket
from messenger.domain import Contact, Outreach
from messenger.planning import choosing
from messenger.planning.hours import Hours
from messenger.sending import outcomes
from messenger.store import Store

FORGED, UNKNOWN, REPEATED = "forged", "unknown", "repeated"
"""Kinds that a mail itself cannot be: not our return address, no such message any more, taken before."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that came back, read: what it says, and the digest that makes taking it twice one bounce."""

    report: Report
    digest: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it."""

    kind: str
    outreach_id: UUID | None = None
    changed: bool = False


async def read(raw: bytes) -> Mail:
    """Read a mail, in a thread: a megabyte of somebody's MIME must not hold up a gate."""
    report = await asyncio.to_thread(dsn.read, raw)
    return Mail(report, sha256(raw.replace(b"\r\n", b"\n")).digest())


async def from_file(raw: bytes, path: ReturnPath) -> Ticket | None:
    """Find the return address of a stored mail in its own headers."""
    return path.found_in(await asyncio.to_thread(dsn.headers, raw))


async def take(mail: Mail, ticket: Ticket | None, now: datetime, tx: Store, hours: Hours) -> Taken:
    """Take one mail that came back to this return address; the caller commits. `hours` are those of mail."""
    if ticket is None:
        return Taken(FORGED)
    if mail.report.kind is Kind.AUTO_REPLY:
        return Taken(Kind.AUTO_REPLY.value, ticket.outreach_id)
    tenant_id = await tx.tenant_of(ticket)
    if tenant_id is None:
        return Taken(UNKNOWN, ticket.outreach_id)
    found = await tx.lock_message(tenant_id, ticket)
    if not await tx.note(tenant_id, ticket, mail.digest, mail.report, found is not None, now):
        return Taken(REPEATED, ticket.outreach_id)
    if found is None:
        return Taken(UNKNOWN, ticket.outreach_id)
    changed = await _obey(found, ticket, mail.report, now, tx, hours)
    return Taken(mail.report.kind.value, ticket.outreach_id, changed)


async def _obey(
    found: tuple[Outreach, Contact | None, bytes | None],
    ticket: Ticket,
    report: Report,
    now: datetime,
    tx: Store,
    hours: Hours,
) -> bool:
    """Do what the bounce means; tell whether the message's state changed."""
    row, contact, went_to = found
    effect = bounces.effect(row, ticket.attempt, report)
    if effect.settles:
        change = choosing.awaiting(effect.change, contact.zone if contact else None, hours, now)
        change = choosing.moved(change, now) if effect.dead else change
        outcomes.emit(await tx.change([change], now), now, tx)
    else:
        await tx.tell(effect.change, now)
    if effect.dead and contact is not None and went_to is not None and went_to == _digest(row, contact):
        await tx.mark_dead(row, went_to, report.status, now)
    return effect.settles


def _digest(row: Outreach, contact: Contact) -> bytes:
    """Give the digest of the address that the record holds now: a new one is not blamed for an old one."""
    return address_digest(row.tenant_id, row.person_id, contact.mail or "")
