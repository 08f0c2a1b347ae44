"""What is known of an assignment: facts folded into one row, in whatever order they arrive. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from duly_contracts.decode import Fact
from duly_contracts.training import (
    TrainingAssignedV1,
    TrainingCompletedV1,
    TrainingDueChangedV1,
    TrainingEvent,
    TrainingWithdrawnV1,
)


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
    traceparent: str = ""  # of the same fact: what is decided weeks later is linked to it
    completed_at: datetime | None = None
    withdrawn_at: datetime | None = None
    zone: str | None = None  # the zone the plan was made with
    next_due_at: datetime | None = None  # when to look again; None: nothing more to say
    policy_version: str = ""  # the version the case runs on: edits do not change running cases
    titled_at: datetime | None = None  # of the assigned fact that training and title come from


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
            return _due(known, data.due_at, Stamp(data.sequence, data.occurred_at, fact.id), fact.trace)
        case TrainingDueChangedV1():
            return _due(known, data.due_at, Stamp(data.sequence, data.occurred_at, fact.id), fact.trace)
        case TrainingCompletedV1():
            return replace(known, completed_at=_earlier(known.completed_at, data.occurred_at))
        case TrainingWithdrawnV1():
            return replace(known, withdrawn_at=_earlier(known.withdrawn_at, data.occurred_at))
        case _:
            return known  # progress changes nothing about a deadline


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


def _due(known: Deadline, due_at: datetime, stamp: Stamp, traceparent: str) -> Deadline:
    """Let the newest fact set the due date: an assignment that arrives late does not undo a change."""
    if known.due_stamp is not None and not stamp.newer_than(known.due_stamp):
        return known
    return replace(known, due_at=due_at, due_stamp=stamp, traceparent=traceparent)


def _earlier(known: datetime | None, other: datetime) -> datetime:
    return other if known is None else min(known, other)
