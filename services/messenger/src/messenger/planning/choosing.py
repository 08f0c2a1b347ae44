"""Which channel a message goes over, and when it turns to the next: facts and `now` in, decisions out.

A message turns away from a channel that cannot reach the person, and where its policy says so from one that has not
reached them for long enough. It never turns away out of doubt: what may have been accepted is settled first.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from messenger import domain
from messenger.blocks.block_list import NUMBER_BLOCKED
from messenger.channel import Answer, RefusedForGood
from messenger.domain import ADDRESS_DEAD, NO_ADDRESS, NO_COMMON_HOURS, Change, Contact, Outreach, Stops
from messenger.limits.braking import HELD, PROVIDER, held_reason
from messenger.planning.hours import Hours, permitted_after
from messenger.words.unsendable import NOT_SET_UP

UNDELIVERED, UNANSWERED = "undelivered", "unanswered"
"""Why a policy may turn to the next channel after a while: not accepted yet; accepted, and nothing ended it."""

ADDRESS_REFUSED = "address_refused"
NO_FINDINGS = frozenset({NOT_SET_UP, UNDELIVERED, UNANSWERED, NUMBER_BLOCKED, NO_COMMON_HOURS})
"""Reasons to turn away that say nothing about an address; a zone is missed when the record without it comes in."""

LOST = frozenset({NO_ADDRESS, ADDRESS_DEAD, ADDRESS_REFUSED})
"""Reasons of ours that say: at this address nobody is reached over this channel."""


def consider(outreach: Outreach, contact: Contact | None, stops: Stops, hours: Hours, now: datetime) -> Change:
    """Test everything at the moment of sending, as the domain does; a move where this channel will not do."""
    change = domain.consider(outreach, contact, stops, hours, now)
    if change.state == "due" and change.reason in (*LOST, NO_COMMON_HOURS):
        return moved(change, now)
    if change.state == "suppressed" or contact is None or outreach.leg_attempt < 1:
        return change
    until = due_to_move(outreach, UNDELIVERED, outreach.leg_since or outreach.not_before, contact.zone, hours)
    return (
        moved(replace(change, reason=UNDELIVERED, attempt=outreach.attempt), now) if until and until <= now else change
    )


def elsewhere(outreach: Outreach, contact: Contact | None, stops: Stops, now: datetime) -> Change:
    """Say what becomes of a message whose channel this process has not: it moves on, or waits for the channel."""
    reason = domain.forbidden(outreach, contact, stops, now)
    if reason is not None:
        return Change(outreach, "suppressed", reason, attempt=outreach.attempt)
    return moved(Change(outreach, "due", NOT_SET_UP, outreach.useful_until, outreach.attempt), now)


def settled(
    outreach: Outreach, answer: Answer, doubt_wait: timedelta, zone: str | None, hours: Hours, now: datetime
) -> Change:
    """Say what an answer makes of a row, and when it is looked at again because another channel is ahead of it."""
    change = domain.settled(outreach, answer, doubt_wait, now)
    if isinstance(answer, RefusedForGood) and answer.address:
        return moved(change, now)
    if change.state == "sent":
        return awaiting(change, zone, hours, now)
    until = due_to_move(outreach, UNDELIVERED, outreach.leg_since or outreach.not_before, zone, hours)
    if change.state == "due" and until is not None and change.next_due_at is not None:
        return replace(change, next_due_at=max(now, min(change.next_due_at, until)))
    return change


def awaiting(change: Change, zone: str | None, hours: Hours, now: datetime) -> Change:
    """Give what turns out to be sent, whoever says so, the moment at which its policy goes on if nothing ends it."""
    if change.state != "sent":
        return change
    return replace(change, next_due_at=due_to_move(change.outreach, UNANSWERED, now, zone, hours))


def unwritable(change: Change, now: datetime) -> Change:
    """Move on what could not be written because of its address, or of its tenant; all else stays what it is."""
    return moved(change, now) if change.reason in LOST or change.reason == NOT_SET_UP else change


def unanswered(outreach: Outreach, contact: Contact | None, stops: Stops, now: datetime) -> Change:
    """Look again at a message that was sent: it moves on, unless something has ended it meanwhile."""
    reason = domain.forbidden(outreach, contact, stops, now)
    stays = Change(outreach, "sent", reason or outreach.reason, attempt=outreach.attempt, code=outreach.code)
    return stays if reason else moved(replace(stays, reason=UNANSWERED), now)


def held(outreach: Outreach, contact: Contact | None, stops: Stops, hours: Hours, now: datetime) -> Change:
    """Look again at a message that a brake holds: it stays, unless it was ended, or its policy leaves the channel.

    Only a provider that fails is a reason to leave a channel; a person's word and the rate are about the tenant.
    """
    reason = domain.forbidden(outreach, contact, stops, now)
    if reason is not None:
        return Change(outreach, "suppressed", reason, attempt=outreach.attempt)
    stays = Change(outreach, HELD, outreach.reason, outreach.useful_until, outreach.attempt, outreach.code)
    if outreach.reason != held_reason(PROVIDER) or contact is None:
        return stays
    until = due_to_move(outreach, UNDELIVERED, outreach.leg_since or outreach.not_before, contact.zone, hours)
    if until is None:
        return stays
    if until <= now:
        return moved(replace(stays, reason=UNDELIVERED), now)
    return replace(stays, next_due_at=min(until, outreach.useful_until))


def moved(change: Change, now: datetime) -> Change:
    """Turn a change that gives a channel up into the move to the next one; without one it stays what it is."""
    if not change.outreach.plan:
        return change
    return replace(change, state="due", next_due_at=now, leg=change.outreach.plan[0])


def due_to_move(outreach: Outreach, cause: str, since: datetime, zone: str | None, hours: Hours) -> datetime | None:
    """Return when the policy turns to the next channel for this cause; None: it never does."""
    following = outreach.plan[0] if outreach.plan else None
    if following is None or following.after_min is None or cause not in following.when:
        return None
    zones = hours.zones(outreach.tenant_id, zone)
    return permitted_after(since, timedelta(minutes=following.after_min), zones, hours)


def lost(changes: Collection[Change]) -> list[Change]:
    """Return the changes that say of an address that nobody is reached at it: findings about the people's data."""
    return [one for one in changes if one.leg is not None and one.reason not in NO_FINDINGS]
