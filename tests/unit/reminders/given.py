"""What the tests of reminders start from: one assignment, one policy, facts about them."""

from datetime import UTC, datetime

from duly_contracts.decode import Fact
from duly_contracts.training import (
    TrainingAssignedV1,
    TrainingCompletedV1,
    TrainingDueChangedV1,
    TrainingEvent,
    TrainingProgressedV1,
    TrainingWithdrawnV1,
)
from reminders.deadline import Deadline
from reminders.domain import Person
from reminders.schedule import Policy

POLICY = Policy(version="v1", offsets_days=(30, 14, 3), local_hour=9, default_zone="Europe/London")
ASSIGNED = datetime(2026, 1, 1, tzinfo=UTC)
DUE = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
ACTIVE = Person("active", "Europe/London")


def at(text: str) -> datetime:
    """Read a UTC instant."""
    return datetime.fromisoformat(text).astimezone(UTC)


def deadline(*, assigned: datetime | None = ASSIGNED, due: datetime | None = DUE, person_id: str = "p1") -> Deadline:
    """Return an assignment as it stands when only its assignment is known."""
    return Deadline("acme", "a1", person_id, assigned_at=assigned, due_at=due)


def assigned(
    event_id: str,
    when: datetime = ASSIGNED,
    due: datetime = DUE,
    *,
    sequence: int | None = None,
    title: str = "Fire safety",
    person_id: str = "p1",
) -> Fact[TrainingEvent]:
    """Say that a person must finish the training by `due`."""
    data = TrainingAssignedV1(
        tenant_id="acme",
        person_id=person_id,
        assignment_id="a1",
        training_id="t1",
        occurred_at=when,
        due_at=due,
        sequence=sequence,
        training_title=title,
    )
    return Fact(event_id, "test", data, 0)


def due_changed(event_id: str, when: datetime, due: datetime, *, sequence: int | None = None) -> Fact[TrainingEvent]:
    """Say that the deadline moved."""
    data = TrainingDueChangedV1(
        tenant_id="acme",
        person_id="p1",
        assignment_id="a1",
        training_id="t1",
        occurred_at=when,
        due_at=due,
        sequence=sequence,
    )
    return Fact(event_id, "test", data, 0)


def completed(event_id: str, when: datetime) -> Fact[TrainingEvent]:
    """Say that the training is done."""
    data = TrainingCompletedV1(tenant_id="acme", person_id="p1", assignment_id="a1", training_id="t1", occurred_at=when)
    return Fact(event_id, "test", data, 0)


def withdrawn(event_id: str, when: datetime) -> Fact[TrainingEvent]:
    """Say that the training is not asked for any more."""
    data = TrainingWithdrawnV1(tenant_id="acme", person_id="p1", assignment_id="a1", training_id="t1", occurred_at=when)
    return Fact(event_id, "test", data, 0)


def progressed(event_id: str, when: datetime) -> Fact[TrainingEvent]:
    """Say that the person got halfway."""
    data = TrainingProgressedV1(
        tenant_id="acme",
        person_id="p1",
        assignment_id="a1",
        training_id="t1",
        occurred_at=when,
        progress_percent=50.0,
    )
    return Fact(event_id, "test", data, 0)
