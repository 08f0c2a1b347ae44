"""Resident memory of the services, together and each for itself, while they work off a morning's reminders."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psutil

from benchmarks import roster, roster_duly
from benchmarks.arms import Arm
from benchmarks.events import Message
from benchmarks.figures import Figure, Size
from benchmarks.place import Place
from benchmarks.resident import Watched, resident_mb
from duly_chassis import entries
from duly_contracts import topics
from duly_contracts.envelope import seal
from duly_contracts.event import Event
from duly_contracts.people import PersonalData, PersonRecordedV1
from duly_contracts.training import TrainingAssignedV1

DUE_IN = timedelta(days=29)  # the first moment, 30 days ahead, is past: each person hears at once
ASSIGNED_AGO = timedelta(days=60)
TOGETHER, ALONE = (400, 250), (110, 80)  # MB: at least, aim


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Watch one process with every service, then a process for each of them, through the same work."""
    names = [entry.name for entry in entries.every()]
    file = roster.write(place.folder, size.people, 0.0)
    figures = []
    with Arm("benchmarks.mail_sink", {}, place.log("sink"), seconds_max=1_800) as sink:
        settings = {**place.settings(), "smtp_url": f"smtp://127.0.0.1:{sink.hear()['port']}"}
        for tenant, processes in (("memory-together", [names]), ("memory-alone", [[name] for name in names])):
            most = _worked(place, settings, processes, facts(size.people, tenant), (f"{tenant}-roster", file))
            figures += [_figure(one, *said) for one, said in zip(processes, most, strict=True)]
    say("; ".join(f"{figure.name}: {figure.value:.0f} MB" for figure in figures))
    return figures


def _figure(names: Sequence[str], idle_mb: float, most_mb: float) -> Figure:
    one = len(names) == 1
    evidence = {"at_rest_mb": [idle_mb], "under_load_mb": [most_mb]}
    name = f"memory, {names[0]} alone" if one else "memory, all services in one process"
    return Figure(name, most_mb, "MB", *(ALONE if one else TOGETHER), evidence, lower_is_better=True)


def _worked(
    place: Place,
    settings: dict[str, str],
    processes: Sequence[Sequence[str]],
    load: tuple[list[Message], list[Message]],
    roster_of: tuple[str, Path],
) -> list[tuple[float, float]]:
    """Import a roster, then have every person told of one deadline; returns MB at rest and the most, by process."""
    people, assignments = load
    with ExitStack() as stack:
        arms = {}
        for names in processes:
            arguments: dict[str, object] = {"settings": settings, "services": names, "mails": [len(assignments)]}
            log = place.log(f"memory-{names[0]}")
            arms[tuple(names)] = stack.enter_context(Arm("benchmarks.memory_duly", arguments, log))
        addresses: dict[str, str] = {}
        for arm in arms.values():
            addresses |= arm.hear()["addresses"]
        idle = [resident_mb(psutil.Process(arm.pid)) for arm in arms.values()]
        watches = [stack.enter_context(Watched(arm.pid)) for arm in arms.values()]
        place.publish(topics.PEOPLE.name, people)
        asyncio.run(roster_duly.send(addresses["roster"], roster_of[0], roster_of[1].read_bytes()))
        place.publish(topics.TRAINING.name, assignments)
        for names, arm in arms.items():
            arm.go()
            if "messenger" in names:
                arm.hear()
    return [(rest, watched.most_mb) for rest, watched in zip(idle, watches, strict=True)]


def facts(people: int, tenant: str) -> tuple[list[Message], list[Message]]:
    """Make a record and an assignment for each person of a tenant."""
    now = datetime.now(UTC)
    records, assignments = [], []
    for number in range(people):
        person_id = f"m-{number:05d}"
        personal = PersonalData(name=f"Person {number}", mail=f"{person_id}@people.example")
        records.append(
            message(
                PersonRecordedV1(
                    tenant_id=tenant,
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
                    tenant_id=tenant,
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
