"""When somebody hears about a deadline: facts and `now` in, decisions out; no I/O, no clock.

Three steps: `apply` folds what happened into the row of an assignment, `plan` says when to look at it again,
`remind` decides every step whose moment has come.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from duly_chassis.wallclock import ONE_DAY, instant_of, zone_exists
from duly_contracts.decode import Fact
from duly_contracts.training import (
    TrainingAssignedV1,
    TrainingCompletedV1,
    TrainingDueChangedV1,
    TrainingEvent,
    TrainingWithdrawnV1,
)

RECIPIENT_UNKNOWN = "recipient_unknown"
ZONE_DAYS = 2  # a local date lies within one day of the UTC date; a gap in local time can add another


@dataclass(frozen=True, slots=True)
class Stamp:
    """What orders two facts about the same thing, however late or twisted they arrive."""

    sequence: int | None
    occurred_at: datetime
    event_id: str

    def newer_than(self, other: "Stamp") -> bool:
        """Tell whether this fact replaces the other.

        The source's own sequence decides where both have one. Numbered beside unnumbered means two sources
        whose numbers say nothing about each other: business time decides, then the event id. (Only a source
        whose numbers contradict its own times, mixed with unnumbered facts, can make three facts a circle.)
        """
        if self.sequence is not None and other.sequence is not None and self.sequence != other.sequence:
            return self.sequence > other.sequence
        return (self.occurred_at, self.event_id) > (other.occurred_at, other.event_id)


@dataclass(frozen=True, slots=True)
class Deadline:
    """One assignment that is watched: what is known of it, and when to look at it again."""

    tenant_id: str
    assignment_id: str
    person_id: str
    training_id: str | None = None
    training_title: str = ""
    assigned_at: datetime | None = None  # None: an end or a change arrived before the assignment
    due_at: datetime | None = None
    due_stamp: Stamp | None = None  # of the fact `due_at` comes from: assigned or due changed
    completed_at: datetime | None = None
    withdrawn_at: datetime | None = None
    zone: str | None = None  # the zone the plan was made with
    next_due_at: datetime | None = None  # when to look again; None: nothing more to say
    policy_version: str = ""  # the version the case runs on: edits do not change running cases
    titled_at: datetime | None = None  # of the assigned fact that training and title come from


@dataclass(frozen=True, slots=True)
class Person:
    """What reminders needs to know of a recipient."""

    status: Literal["active", "on_leave", "departed"]
    zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long before a deadline people hear of it, and at which hour of theirs."""

    version: str
    offsets_days: tuple[int, ...]
    local_hour: int
    local_minute: int = 0
    default_zone: str


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step is due: at the recipient's hour, at or soon after the threshold."""

    step: str  # days ahead, as text
    threshold: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one step whose moment came, and why: silence has a reason too."""

    step: str
    moment: datetime
    speak: bool
    reason: str
    values: dict[str, str]  # what the rule looked at


def apply(deadline: Deadline | None, fact: Fact[TrainingEvent]) -> Deadline:
    """Fold one fact into what is known of its assignment; the order and number of arrivals do not matter.

    An end that arrives before its assignment is kept, so that the assignment is known as ended at once.
    """
    data = fact.data
    known = deadline or Deadline(data.tenant_id, data.assignment_id, data.person_id)
    if (known.tenant_id, known.assignment_id, known.person_id) != (
        data.tenant_id,
        data.assignment_id,
        data.person_id,
    ):
        raise ValueError("fact_of_another_assignment")
    match data:
        case TrainingAssignedV1():
            known = _assigned(known, data)
            return _due(known, data.due_at, Stamp(data.sequence, data.occurred_at, fact.id))
        case TrainingDueChangedV1():
            return _due(known, data.due_at, Stamp(data.sequence, data.occurred_at, fact.id))
        case TrainingCompletedV1():
            return replace(known, completed_at=_earlier(known.completed_at, data.occurred_at))
        case TrainingWithdrawnV1():
            return replace(known, withdrawn_at=_earlier(known.withdrawn_at, data.occurred_at))
        case _:
            return known  # progress changes nothing about a deadline


def moments(deadline: Deadline, policy: Policy, zone: str) -> tuple[Moment, ...]:
    """List when each step is due, earliest first.

    A moment before the assignment is never made up for, one at or after the deadline would tell nothing.
    Where two steps fall on one moment (clocks going back, a skipped date) the one nearer to the deadline
    speaks and the other never comes: nobody hears the same thing twice in a minute.
    """
    if deadline.assigned_at is None or deadline.due_at is None:
        return ()
    by_instant: dict[datetime, Moment] = {}
    for days in sorted(policy.offsets_days, reverse=True):
        threshold = deadline.due_at - timedelta(days=days)
        at = _first_local_hour(threshold, zone, policy.local_hour, policy.local_minute)
        if deadline.assigned_at <= at < deadline.due_at:
            by_instant[at] = Moment(str(days), threshold, at)
    return tuple(by_instant.values())  # larger offsets come first and `at` never runs backwards


def occurrence(step: str, due_at: datetime) -> str:
    """Name the telling of a step about a due date.

    A changed date is a new occurrence, so people hear of it; a date that moves back is the old one again,
    so nobody hears twice.
    """
    return f"{step}@{due_at.astimezone(UTC).date().isoformat()}"


def plan(deadline: Deadline, policy: Policy, zone: str, decided: Collection[str]) -> Deadline:
    """Say when to look again: at the earliest moment that is not yet decided.

    A completed or withdrawn assignment keeps its plan, so that each later step still leaves its reason.
    """
    if deadline.assigned_at is None or deadline.due_at is None:
        return replace(deadline, next_due_at=None)
    open_moments = _undecided(deadline, policy, zone, decided)
    return replace(
        deadline,
        zone=zone,
        next_due_at=open_moments[0].at if open_moments else None,
        policy_version=policy.version,
    )


def remind(
    deadline: Deadline, person: Person | None, policy: Policy, decided: Collection[str], now: datetime
) -> tuple[list[Decision], Deadline]:
    """Decide every step whose moment has come, and plan the next look.

    The latest may speak; after an outage one reminder helps, three annoy. A reason for silence holds for all
    of them: nothing was superseded by a message that is not sent either. Where the recipient's record has not
    come yet, the latest step waits for it, on another topic, until the next step or the deadline takes its place.
    """
    zone = zone_for(person, policy)
    waiting = _undecided(deadline, policy, zone, decided)
    come = [moment for moment in waiting if moment.at <= now]
    silence = _silence(deadline, person, now)
    held = come[-1:] if silence == RECIPIENT_UNKNOWN and deadline.due_at is not None and now < deadline.due_at else []
    decisions = [
        Decision(
            step=moment.step,
            moment=moment.at,
            speak=silence is None and moment is come[-1],
            reason=silence or ("moment_reached" if moment is come[-1] else "superseded"),
            values=_values(deadline, person, moment, zone, now),
        )
        for moment in come
        if moment not in held
    ]
    told = {occurrence(one.step, deadline.due_at) for one in decisions if deadline.due_at is not None}
    planned = plan(deadline, policy, zone, told.union(decided))
    if held:
        later = [moment.at for moment in waiting if moment.at > now]
        return decisions, replace(planned, next_due_at=min(later, default=deadline.due_at))
    return decisions, planned


def zone_for(person: Person | None, policy: Policy) -> str:
    """Choose the recipient's zone; one that is missing or unknown to us counts as the policy's own."""
    if person is not None and person.zone is not None and zone_exists(person.zone):
        return person.zone
    return policy.default_zone


def _assigned(known: Deadline, data: TrainingAssignedV1) -> Deadline:
    """Keep the earliest assignment and the latest wording; of two at one instant the greater text."""
    assigned_at = _earlier(known.assigned_at, data.occurred_at)
    if known.titled_at is not None and (data.occurred_at, data.training_id, data.training_title) <= (
        known.titled_at,
        known.training_id or "",
        known.training_title,
    ):
        return replace(known, assigned_at=assigned_at)
    return replace(
        known,
        assigned_at=assigned_at,
        training_id=data.training_id,
        training_title=data.training_title,
        titled_at=data.occurred_at,
    )


def _due(known: Deadline, due_at: datetime, stamp: Stamp) -> Deadline:
    """Let the newest fact set the due date: an assignment that arrives late does not undo a change."""
    if known.due_stamp is not None and not stamp.newer_than(known.due_stamp):
        return known
    return replace(known, due_at=due_at, due_stamp=stamp)


def _earlier(known: datetime | None, other: datetime) -> datetime:
    return other if known is None else min(known, other)


def _undecided(deadline: Deadline, policy: Policy, zone: str, decided: Collection[str]) -> list[Moment]:
    if deadline.due_at is None:
        return []
    day = occurrence("", deadline.due_at)
    return [moment for moment in moments(deadline, policy, zone) if moment.step + day not in decided]


def _silence(deadline: Deadline, person: Person | None, now: datetime) -> str | None:
    """Give the reason to stay silent, or None: first what ended it, then the recipient, then the calendar."""
    ends = [(deadline.completed_at, "completed"), (deadline.withdrawn_at, "withdrawn")]
    ended = [(at, reason) for at, reason in ends if at is not None]
    if ended:
        return min(ended)[1]
    if person is None:
        return RECIPIENT_UNKNOWN
    if deadline.due_at is not None and now >= deadline.due_at:
        return "deadline_passed"
    return None if person.status == "active" else f"person_{person.status}"


def _values(deadline: Deadline, person: Person | None, moment: Moment, zone: str, now: datetime) -> dict[str, str]:
    instants = {
        "assigned_at": deadline.assigned_at,
        "due_at": deadline.due_at,
        "completed_at": deadline.completed_at,
        "withdrawn_at": deadline.withdrawn_at,
        "threshold": moment.threshold,
        "now": now,
    }
    known = {name: at.isoformat().replace("+00:00", "Z") for name, at in instants.items() if at is not None}
    return known | {"zone": zone, "person_status": "unknown" if person is None else person.status}


def _first_local_hour(threshold: datetime, zone: str, hour: int, minute: int) -> datetime:
    """Find the first hour:minute on a wall clock of the zone at or after the threshold."""
    around = _local_hours(zone, threshold.date(), hour, minute)
    return next(at for at in around if at >= threshold)


@lru_cache(maxsize=16_384)
def _local_hours(zone: str, day: date, hour: int, minute: int) -> tuple[datetime, ...]:
    """List hour:minute of the zone on the days around a UTC date; many deadlines share few dates and zones."""
    days = range(-ZONE_DAYS, ZONE_DAYS + 1)
    return tuple(sorted({instant_of(zone, day + n * ONE_DAY, hour, minute) for n in days}))
