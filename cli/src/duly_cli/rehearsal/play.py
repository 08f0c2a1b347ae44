"""What a rehearsal plays: facts with their instants, and the policy they meet."""

from datetime import datetime
from typing import NamedTuple, TypedDict

from duly_contracts.event import Event
from duly_contracts.people import PersonRecordedV1
from duly_contracts.training import TrainingAssignedV1


class PlayedFact(NamedTuple):
    """One fact and the instant at which the driver publishes it; (`source`, `event_id`) names it for ever."""

    instant: datetime
    event: Event
    source: str
    event_id: str


class About(TypedDict):
    """What each fact about one assignment repeats."""

    tenant_id: str
    person_id: str
    assignment_id: str
    training_id: str


class PlayedPolicy(NamedTuple):
    """The settings of the policy a play runs on, named as in the policy file."""

    name: str = "deadline-reminders"
    version: str = "1"
    offsets_days: tuple[int, ...] = (30, 14, 3)
    local_time: str = "09:00"
    default_zone: str = "Europe/London"


class Counts(NamedTuple):
    """What was read, and what was left out because the source says too little."""

    people: int = 0
    assignments: int = 0
    completed: int = 0
    withdrawn: int = 0
    skipped_registrations: int = 0  # without a day
    skipped_assessments: int = 0  # without a day: nothing to remind of
    skipped_submissions: int = 0  # about nothing that was assigned


class Play(NamedTuple):
    """A whole play of one tenant; `facts` in the order of their instants."""

    tenant_id: str
    facts: list[PlayedFact]
    policy: PlayedPolicy
    counts: Counts


def in_order(facts: list[PlayedFact]) -> list[PlayedFact]:
    """Sort by instant; at one instant people come before assignments, these before what happens to them."""
    return sorted(facts, key=_rank)


def _rank(fact: PlayedFact) -> tuple[datetime, int, str, str]:
    match fact.event:
        case PersonRecordedV1():
            place = 0
        case TrainingAssignedV1():
            place = 1
        case _:
            place = 2
    return fact.instant, place, fact.event.subject, fact.event_id
