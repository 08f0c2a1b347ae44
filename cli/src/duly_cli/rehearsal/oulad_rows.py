"""The five tables of an OULAD folder, checked: what is a day is a day, and nothing stands there twice."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from duly_cli.rehearsal.cells import Cells, Presentation
from duly_cli.rehearsal.tables import Faults, rows

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Assessment:
    """Something to hand in; without a day it has no deadline."""

    id: str
    presentation: Presentation
    kind: str
    due_day: int | None


@dataclass(frozen=True, slots=True)
class Registration:
    """A learner takes part in a presentation."""

    line: int
    presentation: Presentation
    student: str
    day: int | None
    end_day: int | None


@dataclass(frozen=True, slots=True)
class Submission:
    """A learner handed something in."""

    assessment: str
    student: str
    day: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Tables:
    """All rows of a folder."""

    assessments: list[Assessment]
    registrations: list[Registration]
    regions: dict[tuple[Presentation, str], str]
    submissions: list[Submission]


def load(folder: Path, faults: Faults) -> Tables:
    """Read and check all five files; the result may be used only if there are no faults."""
    info = folder / "studentInfo.csv"
    registration = folder / "studentRegistration.csv"
    _table(folder / "courses.csv", COURSES, faults, _course, lambda row: row)
    tables = Tables(
        assessments=_table(folder / "assessments.csv", ASSESSMENTS, faults, _assessment, lambda row: row.id),
        registrations=_table(
            registration, REGISTRATIONS, faults, _registration, lambda row: (row.presentation, row.student)
        ),
        regions=dict(_table(info, INFO, faults, _info, lambda row: row[0])),
        submissions=_table(
            folder / "studentAssessment.csv",
            SUBMISSIONS,
            faults,
            _submission,
            lambda row: (row.assessment, row.student),
        ),
    )
    if not faults.lines:  # else a row that could not be read would be missed here once more
        for row in tables.registrations:
            if (row.presentation, row.student) not in tables.regions:
                faults.add(registration, row.line, f"the learner is not in {info.name}")
    return tables


def _table(
    path: Path,
    columns: tuple[str, ...],
    faults: Faults,
    parse: Callable[[Cells], T],
    key: Callable[[T], Hashable],
) -> list[T]:
    """Parse each row; the second of two with one key is a fault, as nobody can say which is meant."""
    first: dict[Hashable, int] = {}
    found = []
    for row in rows(path, columns, faults):
        cells = Cells(columns, row)
        item = parse(cells)
        if not cells.wrong:
            line = first.setdefault(key(item), row.line)
            if line == row.line:
                found.append(item)
                continue
            cells.wrong.append(f"stands here twice, first in line {line}")
        for what in cells.wrong:
            faults.add(path, row.line, what)
    return found


COURSES = ("code_module", "code_presentation", "module_presentation_length")


def _course(cells: Cells) -> Presentation:
    cells.day("module_presentation_length")
    return cells.presentation()


ASSESSMENTS = ("code_module", "code_presentation", "id_assessment", "assessment_type", "date")


def _assessment(cells: Cells) -> Assessment:
    return Assessment(cells.id("id_assessment"), cells.presentation(), cells.name("assessment_type"), cells.day("date"))


INFO = ("code_module", "code_presentation", "id_student", "region")


def _info(cells: Cells) -> tuple[tuple[Presentation, str], str]:
    return (cells.presentation(), cells.id("id_student")), cells.name("region")


REGISTRATIONS = ("code_module", "code_presentation", "id_student", "date_registration", "date_unregistration")


def _registration(cells: Cells) -> Registration:
    return Registration(
        cells.line,
        cells.presentation(),
        cells.id("id_student"),
        cells.day("date_registration"),
        cells.day("date_unregistration"),
    )


SUBMISSIONS = ("id_assessment", "id_student", "date_submitted", "score")


def _submission(cells: Cells) -> Submission:
    return Submission(
        cells.id("id_assessment"), cells.id("id_student"), cells.some_day("date_submitted"), cells.score("score")
    )
