"""A sample organisation for the demo: generated from a seed, so everybody sees the same five weeks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Literal

from duly_cli.rehearsal.play import About, Counts, Play, PlayedFact, PlayedPolicy, in_order
from duly_contracts.event import Event
from duly_contracts.ids import derived
from duly_contracts.people import PersonalData, PersonRecordedV1
from duly_contracts.training import (
    TrainingAssignedV1,
    TrainingCompletedV1,
    TrainingDueChangedV1,
    TrainingWithdrawnV1,
)

TENANT = "sample"
SOURCE = "/rehearsal/sample"
START = datetime(2026, 3, 2, tzinfo=UTC)  # clocks change in New York on 8 March and in Europe on 29 March
DAY = timedelta(days=1)
END_OF_DAY = timedelta(hours=23, minutes=59, seconds=59)
PEOPLE = 120
DEPARTED, ON_LEAVE = 42, 77  # these two, of all people
LEAVES_ON_DAY = 16
FINISH, WITHDRAWN, MOVED = 0.62, 0.67, 0.74  # shares of fates, added up; the rest never finishes


Status = Literal["active", "on_leave", "departed"]


@dataclass(frozen=True, slots=True)
class Site:
    """Where people work."""

    city: str
    zone: str
    locale: str


@dataclass(frozen=True, slots=True)
class Training:
    """What one department, or everybody, has to finish by a day."""

    id: str
    title: str
    due_day: int
    department: str | None = None


SITES = (
    Site("London", "Europe/London", "en-GB"),
    Site("Berlin", "Europe/Berlin", "de-DE"),
    Site("New York", "America/New_York", "en-US"),
)
DEPARTMENTS = ("Operations", "Engineering", "Sales", "Finance")
TRAININGS = (
    Training("fire-safety", "Fire safety", 32),
    Training("data-protection", "Data protection", 36),
    Training("forklift", "Forklift refresher", 18, "Operations"),
    Training("secure-coding", "Secure coding", 25, "Engineering"),
    Training("anti-bribery", "Anti-bribery", 22, "Sales"),
    Training("money-laundering", "Preventing money laundering", 34, "Finance"),
)
FIRST_NAMES = ("Amara", "Björn", "Chloë", "Dmitri", "Eilidh", "Farid", "Grace", "Hüseyin", "Ines", "Łukasz")
LAST_NAMES = (
    "Adeyemi",
    "Brown",
    "Çelik",
    "Dubois",
    "Evans",
    "Fischer",
    "García",
    "Hughes",
    "Ito",
    "Jansen",
    "Khan",
    "O'Neill",
)
NAMES = tuple(f"{first} {last}" for last, first in product(LAST_NAMES, FIRST_NAMES))


def sample(seed: int = 1) -> Play:
    """Make the organisation; the same seed makes the same facts."""
    dice = Random(seed)  # noqa: S311 - a repeatable organisation, not a secret
    facts: list[PlayedFact] = []
    for number in range(PEOPLE):
        department = DEPARTMENTS[number % len(DEPARTMENTS)]
        facts += _people(number, department, dice.choice(SITES))
        for training in TRAININGS:
            if training.department in {None, department}:
                facts += _assignment(f"s{number + 1:03}", training, dice)
    kinds = [type(fact.event) for fact in facts]
    counts = Counts(
        people=PEOPLE,
        assignments=kinds.count(TrainingAssignedV1),
        completed=kinds.count(TrainingCompletedV1),
        withdrawn=kinds.count(TrainingWithdrawnV1),
    )
    return Play(TENANT, in_order(facts), PlayedPolicy(), counts)


def _people(number: int, department: str, site: Site) -> Iterator[PlayedFact]:
    """Record a person, and once more when the status changes."""
    person_id = f"s{number + 1:03}"
    states: list[tuple[datetime, Status]] = [(START, "active")]
    if number == DEPARTED:
        states.append((START + LEAVES_ON_DAY * DAY, "departed"))
    if number == ON_LEAVE:
        states.append((START + LEAVES_ON_DAY * DAY, "on_leave"))
    for version, (instant, status) in enumerate(states, start=1):
        person = PersonRecordedV1(
            tenant_id=TENANT,
            person_id=person_id,
            occurred_at=instant,
            version=version,
            status=status,
            since=instant,
            zone=site.zone,
            locale=site.locale,
            manager_id=None if number < len(DEPARTMENTS) else f"s{DEPARTMENTS.index(department) + 1:03}",
            department=department,
            location=site.city,
            personal=PersonalData(name=NAMES[number], mail=f"{person_id}@sample.example"),
        )
        yield _fact(person, f"{person_id}.{version}")


def _assignment(person_id: str, training: Training, dice: Random) -> Iterator[PlayedFact]:
    """Tell one assignment's story: most people finish, some late, some never; few dates move."""
    assignment_id = f"{training.id}-{person_id}"
    about = About(tenant_id=TENANT, person_id=person_id, assignment_id=assignment_id, training_id=training.id)
    due_at = START + training.due_day * DAY + END_OF_DAY
    assigned_at = START + timedelta(hours=dice.randint(0, 12))
    yield _fact(
        TrainingAssignedV1(**about, occurred_at=assigned_at, due_at=due_at, training_title=training.title),
        assignment_id,
    )
    fate = dice.random()
    instant = START + timedelta(days=dice.randint(1, training.due_day + 3), hours=dice.randint(7, 18))
    if fate < FINISH:
        yield _fact(TrainingCompletedV1(**about, occurred_at=instant), assignment_id)
    elif fate < WITHDRAWN:
        yield _fact(TrainingWithdrawnV1(**about, occurred_at=instant, reason="excused"), assignment_id)
    elif fate < MOVED:
        moved = due_at + dice.choice((-4, 5, 7)) * DAY
        changed_at = START + dice.randint(3, 10) * DAY
        yield _fact(TrainingDueChangedV1(**about, occurred_at=changed_at, due_at=moved), assignment_id)


def _fact(event: Event, row_id: str) -> PlayedFact:
    return PlayedFact(event.occurred_at, event, SOURCE, str(derived(SOURCE, event.type, row_id)))
