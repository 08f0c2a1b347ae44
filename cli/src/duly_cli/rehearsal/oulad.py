"""A folder in the form of the Open University Learning Analytics Dataset, as facts for a replay.

A registration makes a person and one assignment for each assessment with a day; a submission completes it; the
end of a registration withdraws what is still open.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from duly_cli.rehearsal.oulad_rows import Assessment, Registration, Submission, Tables, load
from duly_cli.rehearsal.play import About, Counts, Play, PlayedFact, PlayedPolicy, in_order
from duly_cli.rehearsal.tables import Faults, OuladError
from duly_contracts.event import Event
from duly_contracts.ids import derived
from duly_contracts.people import PersonalData, PersonRecordedV1
from duly_contracts.training import TrainingAssignedV1, TrainingCompletedV1, TrainingWithdrawnV1

__all__ = ["OuladError", "read"]

TENANT = "oulad"
SOURCE = "/rehearsal/oulad"
END_OF_DAY = timedelta(hours=23, minutes=59, seconds=59)
NOON = timedelta(hours=12)

Work = dict[tuple[str, str], Submission]


def read(folder: Path) -> Play:
    """Read a folder; raise OuladError with every fault if it has any."""
    faults = Faults()
    if not folder.is_dir():
        faults.add(folder, 1, "no such folder")
        raise OuladError(faults.lines)
    tables = load(folder, faults)
    if faults.lines:
        raise OuladError(faults.lines)
    return _play(tables)


def _play(tables: Tables) -> Play:
    dated = [row for row in tables.registrations if row.day is not None]
    due: dict[object, list[Assessment]] = {}
    for assessment in tables.assessments:
        if assessment.due_day is not None:
            due.setdefault(assessment.presentation, []).append(assessment)
    work = {(row.assessment, row.student): row for row in tables.submissions}
    people = [_person(row, tables) for row in _first_registrations(dated)]
    assignments = [
        list(_assignment(row, assessment, work)) for row in dated for assessment in due.get(row.presentation, ())
    ]
    facts = list(chain(people, chain.from_iterable(assignments)))
    completed = sum(isinstance(fact.event, TrainingCompletedV1) for fact in facts)
    counts = Counts(
        people=len(people),
        assignments=len(assignments),
        completed=completed,
        withdrawn=sum(isinstance(fact.event, TrainingWithdrawnV1) for fact in facts),
        skipped_registrations=len(tables.registrations) - len(dated),
        skipped_assessments=sum(row.due_day is None for row in tables.assessments),
        skipped_submissions=len(tables.submissions) - completed,
    )
    return Play(TENANT, in_order(facts), PlayedPolicy(), counts)


def _first_registrations(dated: list[Registration]) -> list[Registration]:
    """Choose each learner's first registration: it says where the learner is, and who is the tutor."""
    first: dict[str, Registration] = {}
    for row in sorted(dated, key=lambda row: (_registered_at(row), row.presentation.module)):
        first.setdefault(row.student, row)
    return list(first.values())


def _registered_at(row: Registration) -> datetime:
    return row.presentation.day(row.day or 0)


def _person(row: Registration, tables: Tables) -> PlayedFact:
    region = tables.regions[row.presentation, row.student]
    instant = _registered_at(row)
    irish = region == "Ireland"
    person = PersonRecordedV1(
        tenant_id=TENANT,
        person_id=row.student,
        occurred_at=instant,
        version=1,
        status="active",
        since=instant,
        zone="Europe/Dublin" if irish else "Europe/London",
        locale="en-IE" if irish else "en-GB",
        manager_id=f"tutor-{row.presentation.module}-{'-'.join(region.lower().split())}",
        location=region,
        personal=PersonalData(
            name=f"Learner {row.student}",
            mail=f"learner{row.student}@learners.example",
            mobile=_mobile(row.student),
        ),
    )
    return _fact(person, "person", row.student)


def _mobile(student: str) -> str | None:
    """Make up a number of the United Kingdom's mobile range; none for a learner who is not known by up to 8 digits."""
    return f"+4474{student:0>8}" if student.isascii() and student.isdigit() and len(student) <= 8 else None  # noqa: PLR2004


def _assignment(row: Registration, assessment: Assessment, work: Work) -> Iterator[PlayedFact]:
    """Tell the story of one assignment: assigned, and what ended it."""
    run = row.presentation
    assigned_at = _registered_at(row)
    training_id = f"{run.module}-{run.code}-{assessment.id}"
    assignment_id = f"{training_id}-{row.student}"
    about = About(tenant_id=TENANT, person_id=row.student, assignment_id=assignment_id, training_id=training_id)
    assigned = TrainingAssignedV1(
        **about,
        occurred_at=assigned_at,
        due_at=run.day(assessment.due_day or 0) + END_OF_DAY,
        training_title=f"{run.module} {run.code} {assessment.kind} {assessment.id}",
    )
    yield _fact(assigned, "assigned", assignment_id)

    completed_at = None
    submission = work.get((assessment.id, row.student))
    if submission is not None:
        completed_at = max(run.day(submission.day or 0) + NOON, assigned_at)
        completed = TrainingCompletedV1(**about, occurred_at=completed_at, score=submission.score)
        yield _fact(completed, "completed", assignment_id)
    if row.end_day is not None:
        withdrawn_at = max(run.day(row.end_day), assigned_at)
        if completed_at is None or completed_at > withdrawn_at:
            withdrawn = TrainingWithdrawnV1(**about, occurred_at=withdrawn_at, reason="unregistered")
            yield _fact(withdrawn, "withdrawn", assignment_id)


def _fact(event: Event, kind: str, row_id: str) -> PlayedFact:
    """Name a fact after the rows it comes from, so that playing it twice is one fact."""
    return PlayedFact(event.occurred_at, event, SOURCE, str(derived(SOURCE, kind, row_id)))
