"""When somebody hears about a deadline: facts and `now` in, decisions out; no I/O, no clock.

deadline.py folds what happened into the row of an assignment, schedule.py says when its steps are due; here
`plan` says when to look at it again, and `remind` decides every step whose moment has come.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from duly_chassis.wallclock import zone_exists
from reminders.deadline import Deadline
from reminders.schedule import Moment, Policy, moments, occurrence

RECIPIENT_UNKNOWN = "recipient_unknown"


@dataclass(frozen=True, slots=True)
class Person:
    """What reminders needs to know of a recipient."""

    status: Literal["active", "on_leave", "departed"]
    zone: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one step whose moment came, and why: silence has a reason too."""

    step: str
    moment: datetime
    speak: bool
    reason: str
    values: dict[str, str]  # what the rule looked at


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
