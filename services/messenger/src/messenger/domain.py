"""Whether a message may go now, later or never, and what an answer means: facts and `now` in, decisions out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from duly_contracts.outreach import Ending, OutreachWithdrawnV1
from messenger.channel import Accepted, Answer, InDoubt, RefusedForGood, RefusedForNow, Withheld
from messenger.planning.hours import SEARCH, Hours, opens_at

RETRY_AFTER = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
"""Pauses after a refusal for now (business clock); the last one repeats for as long as the message is useful."""

UNKNOWN, NO_ADDRESS, ADDRESS_DEAD = "recipient_unknown", "no_address", "address_dead"
"""Why somebody cannot be reached now; a new record of the person may mend it."""

OUTSIDE_HOURS, ZONE_UNKNOWN, NO_COMMON_HOURS = "outside_hours", "zone_unknown", "no_common_hours"
"""Why somebody must not be written to now: their hours are shut; not open in all zones of a tenant, one of which is
theirs; and these zones are never open together, so that only the person's own zone would help."""

MAIL, SLACK, SMS, TEAMS = CHANNELS = ("mail", "slack", "sms", "teams")
"""Every channel there may be, also those that this process is not set up for."""

BEST_EFFORT = frozenset({TEAMS})
"""Channels without receipts, which no mandatory message takes: that it arrived could never be shown."""

TEAM = "team"
"""Stands for the address on a channel that goes to a team's place and to no person."""

Stops = Mapping[str, datetime]
"""What ended something: fact type, and the latest business moment of such a fact."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One step of a message's way: a channel, and when it is turned to although the one before could be used.

    Without `after_min` it is turned to only when the channel before cannot reach the person.
    """

    channel: str
    after_min: int | None = None  # counted inside the permitted hours of the channel before
    when: tuple[str, ...] = ()  # of `undelivered`: not accepted yet; `unanswered`: accepted, and nothing ended it


@dataclass(frozen=True, slots=True)
class Outreach:
    """One ledger row: a message to a person, and where it stands."""

    tenant_id: str
    outreach_id: UUID
    person_id: str
    about: str
    step: str
    message: str
    values: Mapping[str, str]
    ends_when: Sequence[Ending]
    not_before: datetime
    useful_until: datetime
    state: str
    reason: str
    attempt: int
    code: str = ""
    next_due_at: datetime | None = None
    traceparent: str = ""  # of the request
    channel: str = MAIL  # the one it is on now
    plan: tuple[Leg, ...] = ()  # the legs after it
    plan_version: str = ""  # of the channel policy; '': none
    attempts_before: int = 0  # on earlier channels; attempts are counted over all of them
    leg_since: datetime | None = None  # the move to this channel; None on the first
    address: str = field(default="", repr=False)  # where the attempts went, while nobody knows what became of them
    first_posted_at: datetime | None = None  # wall clock
    checks: int = 0  # answers of the provider that left it in doubt
    asks: int = 0  # times the provider could not be asked
    approved: bool = False  # a person let it go over the usual rate

    @property
    def key(self) -> tuple[str, UUID]:
        """What it is known by: its tenant and its id."""
        return self.tenant_id, self.outreach_id

    @property
    def leg_attempt(self) -> int:
        """How often it was tried on this channel."""
        return self.attempt - self.attempts_before


@dataclass(frozen=True, slots=True)
class Contact:
    """How a person is reached, and whether they still work here."""

    status: str
    name: str
    mail: str | None
    zone: str | None
    locale: str | None
    dead: bool = False  # a bounce said that there is nobody at this mail address
    mobile: str | None = None  # as E.164


@dataclass(frozen=True, slots=True)
class Change:
    """A row's next state, and why. `next_due_at` is None where nothing is awaited any more."""

    outreach: Outreach
    state: str
    reason: str
    next_due_at: datetime | None = None
    attempt: int = 0
    code: str = ""
    provider_id: str | None = None
    leg: Leg | None = None  # the next leg, where it moves on: its way is then shorter by one
    checks: int = 0
    asks: int = 0


def consider(outreach: Outreach, contact: Contact | None, stops: Stops, hours: Hours, now: datetime) -> Change:
    """Test everything again at the moment of sending: ended, too late, gone, unreachable, outside the hours.

    The state of the answer is `posting` (send it), `due` (look again then) or `suppressed` (never).
    """
    reason = forbidden(outreach, contact, stops, now)
    if reason is not None:
        return Change(outreach, "suppressed", reason, attempt=outreach.attempt)
    unreachable = out_of_reach(contact, outreach.channel)
    if unreachable is not None or contact is None:
        # A record may be on its way, on another topic: it wakes the row, and uselessness ends it.
        return Change(outreach, "due", unreachable or UNKNOWN, outreach.useful_until, outreach.attempt)
    zones = hours.zones(outreach.tenant_id, contact.zone)
    opening = opens_at(max(now, outreach.not_before), zones, hours)
    if opening is None:
        until = min(now + SEARCH, outreach.useful_until)
        return Change(outreach, "due", NO_COMMON_HOURS, until, outreach.attempt)
    if opening > now:
        reason = OUTSIDE_HOURS if len(zones) == 1 else ZONE_UNKNOWN
        return Change(outreach, "due", reason, opening, outreach.attempt)
    return Change(outreach, "posting", "sending", attempt=outreach.attempt + 1)


def forbidden(outreach: Outreach, contact: Contact | None, stops: Stops, now: datetime) -> str | None:
    """Return why this must not be sent any more, or None; tested when it is claimed and again at the gate."""
    for ending in (*outreach.ends_when, Ending(type=OutreachWithdrawnV1.type, about=str(outreach.outreach_id))):
        ended_at = stops.get(ending.type)
        if ended_at is not None and (ending.after is None or ended_at > ending.after):
            return reason_of(ending.type)
    if contact is not None and contact.status == "departed":
        return "person_departed"
    if now >= outreach.useful_until:
        kept = (UNKNOWN, NO_ADDRESS, ADDRESS_DEAD, NO_COMMON_HOURS)
        return outreach.reason if outreach.reason in kept else "expired"
    return None


def out_of_reach(contact: Contact | None, channel: str) -> str | None:
    """Return why this channel cannot reach this person now, or None."""
    if contact is None:
        return UNKNOWN
    if address(contact, channel) is None:
        return NO_ADDRESS
    return ADDRESS_DEAD if contact.dead and channel == MAIL else None


def address(contact: Contact, channel: str) -> str | None:
    """Return what a channel finds this person by: a mobile number for texts, nothing of theirs for a team's place."""
    if channel == TEAMS:
        return TEAM
    return contact.mobile if channel == SMS else contact.mail


def reason_of(fact_type: str) -> str:
    """Turn the ending fact's type into the reason code every service uses: duly.training.completed.v1 is completed.

    A message that was taken back by who asked for it is no withdrawn training: it has a code of its own.
    """
    if fact_type == OutreachWithdrawnV1.type:
        return "taken_back"
    return fact_type.split(".")[-2].replace("-", "_")


def settled(outreach: Outreach, answer: Answer, doubt_wait: timedelta, now: datetime) -> Change:
    """Say what an answer makes of a row. In doubt is a state, not a retry."""
    attempt = outreach.attempt
    match answer:
        case Accepted(provider_id):
            return Change(outreach, "sent", "accepted", attempt=attempt, provider_id=provider_id)
        case RefusedForNow(reason, code, after_s):
            wait = max(pause(outreach.leg_attempt), timedelta(seconds=after_s or 0))
            return Change(outreach, "due", reason, now + wait, attempt, code)
        case RefusedForGood(reason, code):
            return Change(outreach, "refused", reason, attempt=attempt, code=code)
        case InDoubt(reason, code):
            return Change(outreach, "in_doubt", reason, now + doubt_wait, attempt, code)
        case Withheld(reason):
            return Change(outreach, "due", reason, now, attempt - 1)


def pause(attempt: int) -> timedelta:
    """Return how long to wait after the attempt of this number on its channel (1 is the first) was refused for now."""
    return RETRY_AFTER[min(attempt, len(RETRY_AFTER)) - 1]


def parked(outreach: Outreach) -> Change:
    """Park what nobody can know: its provider cannot be asked, and rather late is better than twice."""
    return Change(outreach, "parked", outreach.reason, attempt=outreach.attempt, code=outreach.code)
