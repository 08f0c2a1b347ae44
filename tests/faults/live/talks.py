"""Judge the chats and texts of C1b: what was asked, what the providers took, what was answered, and what is kept.

Shares nothing with Duly. Who reads a request's first byte late notes it late: a second is granted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.live.rules import READ_LATER_S
from tests.faults.rules import Violation

MOVING = "moving-notice"
"""Goes by Slack, and a minute later, unanswered, by text."""
BLOCKED = "number_blocked"


@dataclass(frozen=True, slots=True)
class Asked:
    """One message that was asked for."""

    tenant: str
    about: str
    outreach_id: str
    message: str
    mobile: str
    stop: str = ""  # the event that ends it


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger says of it; `waits`: there is a moment at which it goes on."""

    channel: str
    state: str
    reason: str
    waits: bool = False

    @property
    def rests(self) -> bool:
        """Tell whether nothing more will become of it by itself."""
        blocked = self.state == "due" and self.reason == BLOCKED
        return blocked or (self.state not in {"due", "posting", "in_doubt", "held"} and not self.waits)


@dataclass(slots=True)
class Talks:
    """All that is known; times are the machine's, in seconds since 1970."""

    asked: Sequence[Asked]
    rows: Mapping[str, Row]  # by outreach
    accepts: Mapping[str, Sequence[Mapping[str, Any]]]  # by channel
    stops: Mapping[str, float] = field(default_factory=dict)  # when messenger had surely committed each
    blocks: Mapping[str, float] = field(default_factory=dict)  # when each number was seen to be blocked
    holds: Sequence[tuple[str, float, float]] = ()  # tenant; hold answered, release asked for
    answered: frozenset[str] = frozenset()  # callbacks that were answered 2xx: SID/status
    kept: frozenset[str] = frozenset()  # those that intake has
    told: frozenset[str] = frozenset()  # those that messenger has heard of


def outreach_of(entry: Mapping[str, Any]) -> str:
    """Return whose message a provider took."""
    if entry["channel"] == "slack":
        return str(entry["metadata"].get("event_payload", {}).get("outreach_id"))
    return str(entry["callback"]).rpartition("/")[2]


def begun(entry: Mapping[str, Any]) -> float:
    """Return when a request had come; what is taken late was begun before."""
    return float(entry.get("begun", entry["at"]))


def judge(talks: Talks) -> list[Violation]:
    """Apply every rule."""
    times = Counter((outreach_of(entry), channel) for channel, those in talks.accepts.items() for entry in those)
    known = {one.outreach_id: one for one in talks.asked}
    found = [Violation("I2 stray", f"{name} by {channel}") for name, channel in times if name not in known]
    for name, one in known.items():
        taken = {channel: times[name, channel] for channel in talks.accepts}
        found += _message(one, talks.rows.get(name), taken, talks)
    for entries in talks.accepts.values():
        for entry in entries:
            if outreach_of(entry) in known:
                found += _in_time(known[outreach_of(entry)], entry, talks)
    found += [Violation("2xx and gone", what) for what in sorted(talks.answered - talks.kept)]
    found += [Violation("2xx and untold", what) for what in sorted(talks.answered - talks.told)]
    return found


def _message(one: Asked, row: Row | None, taken: Mapping[str, int], talks: Talks) -> Iterator[Violation]:
    """Each is accepted at most once by each provider, and none is lost or parked: both can be asked."""
    who = f"{one.tenant} {one.about}: {taken} {row}"
    yield from (Violation("I2 doubled", who) for times in taken.values() if times > 1)
    if row is None:
        yield Violation("I1 lost", who)
    elif row.state == "parked":
        yield Violation("parked without cause", who)
    elif not row.rests:
        yield Violation("I1 unsettled", who)
    elif row.state == "sent":
        if not taken.get(row.channel):
            yield Violation("I1 lost", who)
    elif not (row.state == "suppressed" and one.stop) and not (row.state == "due" and one.mobile in talks.blocks):
        yield Violation("I1 lost", who)
    elif any(taken.values()) and one.message != MOVING:
        yield Violation("I1 unsettled", who)


def _in_time(one: Asked, entry: Mapping[str, Any], talks: Talks) -> Iterator[Violation]:
    """No request begins after what forbids it was committed, nor while its tenant is held."""
    at, who = begun(entry), f"{one.tenant} {one.about} by {entry['channel']}"
    ended_at = talks.stops.get(one.stop)
    if ended_at is not None and at > ended_at + READ_LATER_S:
        yield Violation("I3 after stop", f"{who}, {at - ended_at:.1f} s")
    blocked_at = talks.blocks.get(one.mobile) if entry["channel"] == "sms" else None
    if blocked_at is not None and at > blocked_at + READ_LATER_S:
        yield Violation("I3 after STOP", f"{who}, {at - blocked_at:.1f} s")
    for tenant, held_at, released_at in talks.holds:
        if tenant == one.tenant and held_at + READ_LATER_S < at < released_at:
            yield Violation("I3 while held", f"{who}, {at - held_at:.1f} s")
