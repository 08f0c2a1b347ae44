"""Facts as an LMS and a roster would write them, on the real clock, published with a plain producer."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from duly_contracts.envelope import seal
from duly_contracts.event import Event
from duly_contracts.people import PersonalData, PersonRecordedV1
from duly_contracts.training import TrainingAssignedV1, TrainingCompletedV1

TENANT = "acme"
SOURCE = "test/lms"
TITLE = "Fire safety"


def noon_zone(now: datetime) -> str:
    """Name a zone where it is noon: nine has passed there, and mail may be sent; these zones count backwards."""
    ahead_h = 12 - now.astimezone(UTC).hour
    return f"Etc/GMT{-ahead_h:+d}"


def person(person_id: str, now: datetime) -> PersonRecordedV1:
    """Record somebody who is at work and can be reached."""
    return PersonRecordedV1(
        tenant_id=TENANT,
        person_id=person_id,
        occurred_at=now - timedelta(days=20),
        version=1,
        status="active",
        zone=noon_zone(now),
        locale="en-GB",
        personal=PersonalData(name="Ada Evans", mail=f"{person_id}@acme.example"),
    )


def assigned(person_id: str, assignment_id: str, now: datetime) -> TrainingAssignedV1:
    """Assign something ten days ago that is due so soon that only the step of three days ahead came: this morning.

    Three days before the deadline it was eight where the person is, so nine of today is the moment.
    """
    return TrainingAssignedV1(
        tenant_id=TENANT,
        person_id=person_id,
        assignment_id=assignment_id,
        training_id="fire-safety",
        training_title=TITLE,
        occurred_at=now - timedelta(days=10),
        due_at=now + timedelta(days=2, hours=20),
    )


def completed(person_id: str, assignment_id: str, now: datetime) -> TrainingCompletedV1:
    """Say that it was done yesterday."""
    return TrainingCompletedV1(
        tenant_id=TENANT,
        person_id=person_id,
        assignment_id=assignment_id,
        training_id="fire-safety",
        occurred_at=now - timedelta(days=1),
    )


def one_who_hears(person_id: str, assignment_id: str) -> list[Event]:
    """Return the facts of somebody whose newest step speaks at once."""
    now = datetime.now(UTC)
    return [person(person_id, now), assigned(person_id, assignment_id, now)]


def one_who_is_done(person_id: str, assignment_id: str) -> list[Event]:
    """Return the same for somebody who has finished in time.

    The completion goes first: written last, it could be read a moment after the reminder was decided on.
    """
    now = datetime.now(UTC)
    return [completed(person_id, assignment_id, now), *one_who_hears(person_id, assignment_id)]


async def publish(bootstrap: str, *facts: Event) -> None:
    """Write facts to their topics."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for fact in facts:
            record = seal(fact, str(uuid4()), SOURCE)
            await producer.send_and_wait(record.topic, record.value, key=record.key, headers=list(record.headers))
    finally:
        await producer.stop()
