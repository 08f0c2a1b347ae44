"""Resident memory of all services in one process, from the outside, while they work off a morning's reminders."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import uuid4

import psutil

from benchmarks.arms import Arm
from benchmarks.events import Message
from benchmarks.figures import Figure, Size
from benchmarks.place import Place
from duly_contracts import topics
from duly_contracts.envelope import seal
from duly_contracts.event import Event
from duly_contracts.people import PersonalData, PersonRecordedV1
from duly_contracts.training import TrainingAssignedV1

LOOK_S = 0.05
TENANT = "memory"
DUE_IN = timedelta(days=29)  # the first moment, 30 days ahead, is past: each person hears at once
ASSIGNED_AGO = timedelta(days=60)


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Give every person one deadline that must be told now, and watch the process until all mails are settled."""
    with Arm("benchmarks.mail_sink", {}, place.log("sink")) as sink:
        url = f"smtp://127.0.0.1:{sink.hear()['port']}"
        arguments: dict[str, object] = {"settings": {**place.settings(), "smtp_url": url}, "mails": size.people}
        with Arm("benchmarks.memory_duly", arguments, place.log("memory")) as arm:
            names = arm.hear()["services"]
            idle_mb = resident_mb(psutil.Process(arm.pid))
            people, assignments = facts(size.people)
            place.publish(topics.PEOPLE.name, people)
            with Watched(arm.pid) as watched:
                arm.go()
                place.publish(topics.TRAINING.name, assignments)
                arm.hear()
    say(f"memory of {' and '.join(names)}: {idle_mb:.0f} MB at rest, {watched.most_mb:.0f} MB under load")
    evidence = {"at_rest_mb": [idle_mb], "under_load_mb": [watched.most_mb]}
    return [
        Figure("memory, all services in one process", watched.most_mb, "MB", 400, 250, evidence, lower_is_better=True)
    ]


class Watched:
    """Looks at a process's resident memory now and then and keeps the most it saw."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.most_mb = 0.0

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            try:
                self.most_mb = max(self.most_mb, resident_mb(self._process))
            except psutil.NoSuchProcess:
                return


def resident_mb(process: psutil.Process) -> float:
    """Return a process's resident memory."""
    return float(process.memory_info().rss / 1e6)


def facts(people: int) -> tuple[list[Message], list[Message]]:
    """Make a record and an assignment for each person."""
    now = datetime.now(UTC)
    records, assignments = [], []
    for number in range(people):
        person_id = f"m-{number:05d}"
        personal = PersonalData(name=f"Person {number}", mail=f"{person_id}@people.example")
        records.append(
            message(
                PersonRecordedV1(
                    tenant_id=TENANT,
                    person_id=person_id,
                    occurred_at=now - ASSIGNED_AGO,
                    version=1,
                    status="active",
                    zone="Europe/London",
                    locale="en-GB",
                    personal=personal,
                )
            )
        )
        assignments.append(
            message(
                TrainingAssignedV1(
                    tenant_id=TENANT,
                    person_id=person_id,
                    occurred_at=now - ASSIGNED_AGO,
                    assignment_id=f"a-{number:05d}",
                    training_id="fire-safety-2026",
                    due_at=now + DUE_IN,
                    training_title="Fire safety 2026",
                )
            )
        )
    return records, assignments


def message(event: Event) -> Message:
    """Seal an event as its source would."""
    record = seal(event, str(uuid4()), "bench/memory")
    return Message(record.key, list(record.headers), record.value)
