"""Hand-made facts and the records that carry them."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aiokafka.structs import ConsumerRecord

from duly_chassis.dead_letters import Raw
from duly_contracts.envelope import instant, seal
from duly_contracts.event import Event
from duly_contracts.outreach import Ending, OutreachRequestedV1, OutreachWithdrawnV1
from duly_contracts.people import PersonalData, PersonRecordedV1
from duly_contracts.training import (
    TrainingAssignedV1,
    TrainingCompletedV1,
    TrainingDueChangedV1,
    TrainingWithdrawnV1,
)

SOURCE = "test/lms"
ASSIGNED = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""When the reminder of 30 days is due, where the clock is UTC."""
DUE = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)


class Tape:
    """Numbers records as a broker would: each partition counts its own."""

    def __init__(self) -> None:
        self._next: Counter[tuple[str, int]] = Counter()

    def record(self, event: Event, event_id: str, *, partition: int = 0, **changes: Any) -> Raw:
        """Put an event on the tape; `changes` replace parts of its record (headers by name, value, key, offset)."""
        sealed = seal(event, event_id, SOURCE)
        headers = dict(sealed.headers) | changes.pop("headers", {})
        offset = changes.pop("offset", None)
        if offset is None:
            offset = self._next[sealed.topic, partition]
            self._next[sealed.topic, partition] += 1
        return ConsumerRecord(
            topic=sealed.topic,
            partition=partition,
            offset=offset,
            timestamp=0,
            timestamp_type=0,
            key=changes.get("key", sealed.key),
            value=changes.get("value", sealed.value),
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            headers=tuple(headers.items()),
        )


def assigned(assignment_id: str, title: str = "Fire safety", **changes: Any) -> TrainingAssignedV1:
    """Say that a person must finish a training."""
    return TrainingAssignedV1(**whose(assignment_id, ASSIGNED) | {"due_at": DUE, "training_title": title} | changes)


def completed(assignment_id: str, **changes: Any) -> TrainingCompletedV1:
    """Say that the training is done."""
    return TrainingCompletedV1(**whose(assignment_id, ASSIGNED + timedelta(days=7)) | changes)


def withdrawn(assignment_id: str, **changes: Any) -> TrainingWithdrawnV1:
    """Say that the training is not asked for any more."""
    return TrainingWithdrawnV1(**whose(assignment_id, ASSIGNED + timedelta(days=7)) | changes)


def due_changed(assignment_id: str, due_at: datetime, **changes: Any) -> TrainingDueChangedV1:
    """Say that the deadline has moved."""
    return TrainingDueChangedV1(**whose(assignment_id, ASSIGNED + timedelta(days=7)) | {"due_at": due_at} | changes)


def person(version: int = 1, **changes: Any) -> PersonRecordedV1:
    """Return the record of the person all these facts are about."""
    known: dict[str, Any] = {
        "tenant_id": "acme",
        "person_id": "p1",
        "occurred_at": ASSIGNED,
        "version": version,
        "status": "active",
        "zone": "UTC",
        "locale": "en",
        "personal": PersonalData(name="Ada", mail="ada@example.org"),
    }
    return PersonRecordedV1(**known | changes)


def whose(assignment_id: str, occurred_at: datetime) -> dict[str, Any]:
    """Return what all facts of one assignment share."""
    return {
        "tenant_id": "acme",
        "person_id": "p1",
        "assignment_id": assignment_id,
        "training_id": "t1",
        "occurred_at": occurred_at,
    }


def requested(outreach_id: UUID, about: str = "a1", **changes: Any) -> OutreachRequestedV1:
    """Ask for a reminder as reminders does."""
    endings = (
        Ending(type=TrainingCompletedV1.type, about=about),
        Ending(type=TrainingWithdrawnV1.type, about=about),
        Ending(type=TrainingDueChangedV1.type, about=about, after=ASSIGNED),
    )
    known: dict[str, Any] = {
        "tenant_id": "acme",
        "person_id": "p1",
        "occurred_at": MOMENT,
        "outreach_id": outreach_id,
        "about": about,
        "message": "deadline-reminder",
        "step": "30",
        "dedupe_key": f"{about}/30/{outreach_id}",
        "not_before": MOMENT,
        "useful_until": DUE,
        "ends_when": endings,
        "values": {"training_title": "Fire safety", "due_at": instant(DUE), "days": "30"},
    }
    return OutreachRequestedV1(**known | changes)


def taken_back(outreach_id: UUID, **changes: Any) -> OutreachWithdrawnV1:
    """Say that who asked for a message no longer wants it."""
    known: dict[str, Any] = {
        "tenant_id": "acme",
        "person_id": "p1",
        "occurred_at": MOMENT,
        "outreach_id": outreach_id,
        "reason": "not_wanted",
    }
    return OutreachWithdrawnV1(**known | changes)
