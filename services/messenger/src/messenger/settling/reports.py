"""What a provider's report makes of a message: facts in, a decision out, whatever came first (S-15)."""

from dataclasses import dataclass, replace
from datetime import datetime

from duly_contracts.signals import DeliveryReportedV1
from messenger.blocks.block_list import NUMBER_BLOCKED, STOPPED_CODES
from messenger.domain import Change, Outreach
from messenger.planning import choosing

ARRIVED = frozenset({"delivered", "read"})
ACCEPTED = frozenset({"accepted", "scheduled", "queued", "sending", "sent", "partially_delivered"}) | ARRIVED
"""Each of these proves that the provider has the message."""

FAILED = frozenset({"undelivered", "failed", "canceled"})
UNREACHABLE_CODES = frozenset({"30005", "30006", "21211", "21614"})
"""No such number, a landline, no number at all, no mobile: findings about the people's data."""

PROVABLE = frozenset({"posting", "due", "held", "in_doubt", "parked"})
FAILABLE = frozenset({"posting", "sent", "in_doubt", "parked"})


@dataclass(frozen=True, slots=True)
class Standing:
    """A message on its current channel, with what was reported of it until now."""

    row: Outreach
    channel: str
    provider_id: str | None
    arrived: bool = False
    zone: str | None = None  # of its recipient


@dataclass(frozen=True, slots=True)
class Effect:
    """What follows: how the message stands then, a line of its story, and whether its state changed."""

    standing: Standing
    change: Change
    settles: bool


def effect(at: Standing, told: DeliveryReportedV1, now: datetime) -> Effect:
    """Decide over one report.

    Final states never go back: what arrived has arrived, and a report of another try, or of a channel that the message
    has left, is a line of its story only. What is in doubt or parked is settled by any proof.
    """
    row = at.row
    ours = at.channel == told.channel and at.provider_id in (None, told.provider_id)
    if ours and told.status in ACCEPTED:
        after = replace(at, arrived=at.arrived or told.status in ARRIVED, provider_id=told.provider_id)
        if row.state in PROVABLE and row.leg_attempt > 0:
            reason = "delivered" if told.status in ARRIVED else "accepted"
            change = Change(row, "sent", reason, attempt=row.attempt, provider_id=told.provider_id)
            return Effect(replace(after, row=replace(row, state="sent", reason=reason)), change, settles=True)
        return Effect(after, story(row, told), settles=False)
    if ours and told.status in FAILED and not at.arrived and row.state in FAILABLE:
        change = leg_failed(row, told, now)
        after = replace(
            at, row=replace(row, state=change.state), channel=change.leg.channel if change.leg else at.channel
        )
        return Effect(after, change, settles=True)
    return Effect(at, story(row, told), settles=False)


def leg_failed(row: Outreach, told: DeliveryReportedV1, now: datetime) -> Change:
    """Say what becomes of what its channel accepted and did not bring: the next channel, where there is one."""
    reason = choosing.ADDRESS_REFUSED if told.code in UNREACHABLE_CODES else choosing.UNDELIVERED
    if told.code in STOPPED_CODES:
        reason = NUMBER_BLOCKED
    change = Change(row, "refused", reason, attempt=row.attempt, code=told.code, provider_id=told.provider_id)
    return choosing.moved(change, now)


def story(row: Outreach, told: DeliveryReportedV1) -> Change:
    """Give the line of the story that changes nothing."""
    return Change(row, row.state, f"report_{told.status}", row.next_due_at, row.attempt, told.code)
