"""What became of a message, as the fact that tells the other services."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from duly_chassis.work import Work
from duly_contracts.decisions import AddressLostV1, ZoneNotFoundV1
from duly_contracts.envelope import instant
from duly_contracts.event import Event
from duly_contracts.ids import derived
from duly_contracts.outreach import (
    OutreachFailedV1,
    OutreachRequestedV1,
    OutreachSentV1,
    OutreachSentV2,
    OutreachSuppressedV1,
)
from duly_contracts.people import PersonRecordedV1
from messenger.domain import MAIL, Change
from messenger.planning import choosing
from messenger.planning.hours import Hours


def emit(changes: Sequence[Change], now: datetime, tx: Work) -> None:
    """Tell what is final, or waits for a person; what merely waits is nobody else's business.

    Each goes on in the trace of its request, or of the attempt that was answered.
    """
    for change in changes:
        told = fact(change, now)
        if told is not None:
            tx.emit(*told, change.outreach.traceparent)
    for change in choosing.lost(changes):
        tx.emit(*_lost(change, now), change.outreach.traceparent)


def already_told(request: OutreachRequestedV1, now: datetime) -> tuple[UUID, Event]:
    """Close a request whose notification key the ledger knows under another id."""
    told = OutreachSuppressedV1(
        tenant_id=request.tenant_id,
        person_id=request.person_id,
        occurred_at=now,
        outreach_id=request.outreach_id,
        about=request.about,
        step=request.step,
        reason="already_told",
    )
    return derived("outreach-suppressed", str(request.outreach_id)), told


def zone_not_found(record: PersonRecordedV1, hours: Hours) -> tuple[UUID, Event] | None:
    """Tell that a record's zone is not known, where it matters: its tenant has several (RELIABILITY 7.10)."""
    if record.status == "departed" or len(hours.zones(record.tenant_id, record.zone)) == 1:
        return None
    told = ZoneNotFoundV1(
        tenant_id=record.tenant_id,
        person_id=record.person_id,
        occurred_at=record.occurred_at,
        reason="zone_unknown" if record.zone else "no_zone",
        record_version=record.version,
    )
    return derived("zone-not-found", record.tenant_id, record.person_id, str(record.version)), told


def fact(change: Change, now: datetime) -> tuple[UUID, Event] | None:
    """Turn a change into its fact, with the id that the same outcome always gets."""
    outreach = change.outreach
    common: dict[str, Any] = {
        "tenant_id": outreach.tenant_id,
        "person_id": outreach.person_id,
        "occurred_at": now,
        "outreach_id": outreach.outreach_id,
        "about": outreach.about,
        "step": outreach.step,
    }
    name = str(outreach.outreach_id)
    match change.state:
        case "sent":
            common |= {"attempts": max(1, change.attempt), "provider_id": change.provider_id or ""}
            if outreach.channel == MAIL:
                return derived("outreach-sent", name), OutreachSentV1(**common, channel="mail")
            common["channel"] = outreach.channel
            return derived("outreach-sent", name, outreach.channel), OutreachSentV2(**common)
        case "suppressed":
            return derived("outreach-suppressed", name), OutreachSuppressedV1(**common, reason=change.reason)
        case "refused" | "parked":
            told = OutreachFailedV1(**common, state=change.state, reason=change.reason, evidence=change.code[:100])
            return derived("outreach-failed", name, change.state, str(change.attempt), instant(now)), told
        case _:
            return None


def _lost(change: Change, now: datetime) -> tuple[UUID, Event]:
    """Tell that nobody is reached at an address, as a finding about the people's data."""
    outreach = change.outreach
    told: dict[str, Any] = {
        "tenant_id": outreach.tenant_id,
        "person_id": outreach.person_id,
        "occurred_at": now,
        "about": outreach.about,
        "rule": outreach.message,
        "step": outreach.step,
        "policy_version": outreach.plan_version,
        "moment": outreach.not_before,
        "reason": change.reason,
        "values": {"next": change.leg.channel} if change.leg else {},
        "outreach_id": outreach.outreach_id,
        "channel": outreach.channel,
    }
    return derived("address-lost", str(outreach.outreach_id), outreach.channel), AddressLostV1(**told)
