"""Make a small folder in OULAD form, from a seed, that holds the corners real learners have.

Eight learners are enough to meet every corner once: the list `CORNERS` is dealt round, and everything else
(days, regions, submissions) is drawn from the seed.
"""

import argparse
import csv
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SIZES = {"tiny": 8, "small": 60, "medium": 400}
PRESENTATIONS = ("2013J", "2014J")
REGIONS = ("Ireland", "Scotland", "Wales", "East Anglian Region", "South West Region", "Yorkshire Region")
EXAM = ""
"""An assessment without a day: there is no deadline, so there is nothing to remind of."""

DUE_DAYS: dict[str, tuple[int | str, ...]] = {
    "AAA": (19, 54, 117, EXAM),
    # 2013J: the last Sunday of October is day 26, of March day 180: steps fall on and around both.
    "BBB": (26, 29, 30, 40, 182, 183, 184, 194),
    "EEE": (-2, 5, 61, 61),  # too early for most, and two deadlines of one person at the same moment
}
COLUMNS = {
    "courses": ("code_module", "code_presentation", "module_presentation_length"),
    "assessments": (
        "code_module",
        "code_presentation",
        "id_assessment",
        "assessment_type",
        "date",
        "weight",
    ),
    "studentInfo": ("code_module", "code_presentation", "id_student", "region", "final_result"),
    "studentRegistration": (
        "code_module",
        "code_presentation",
        "id_student",
        "date_registration",
        "date_unregistration",
    ),
    "studentAssessment": ("id_assessment", "id_student", "date_submitted", "is_banked", "score"),
}
Cell = int | float | str
Registered = tuple[int | str, int | str]
"""Day of registration and of unregistration; an empty text where the source has none."""

CORNERS: tuple[Callable[[random.Random], Registered], ...] = (
    lambda dice: (dice.randint(-160, -45), ""),
    lambda _: ("", ""),  # registered on an unknown day: skipped and counted
    lambda dice: (dice.randint(-90, -40), dice.choice((16, 41, 104, 181))),  # leaves between two steps
    lambda dice: (
        dice.randint(-60, -40),
        dice.choice((-50, -70, 230)),
    ),  # leaves before joining, or after all
    lambda dice: (dice.choice((34, 41, 48, 170)), ""),  # late, between steps or on the very day of one
    lambda dice: (dice.randint(40, 50), ""),  # joins after having submitted: see _submitted
    lambda dice: (dice.randint(-20, 10), ""),  # after some moments have passed
    lambda dice: (dice.randint(-60, -40), dice.randint(-10, 60)),
)
JOINED_AFTER_SUBMITTING = 5
IN_SEVERAL_MODULES = (0, 6)


@dataclass(slots=True)
class _Tables:
    rows: dict[str, list[tuple[Cell, ...]]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    assessments: dict[tuple[str, str], list[tuple[int, int | str]]] = field(default_factory=dict)


def generate(
    folder: Path,
    *,
    learners: int,
    seed: int,
    presentations: Sequence[str] = PRESENTATIONS,
    original_form: bool = False,
) -> Path:
    """Write the five files and return the folder; the same arguments give the same bytes.

    `original_form` writes them as the full data set is published: every field quoted, lines ended by CR LF,
    and columns the product has no use for.
    """
    dice = random.Random(seed)  # noqa: S311 - a repeatable folder, not a secret
    tables = _Tables()
    _add_courses(tables, presentations)
    for number, student in enumerate(dice.sample(range(6_000, 2_700_000), learners)):
        _add_learner(tables, dice, number, student, presentations)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.rows.items():
        if name.startswith("student"):
            dice.shuffle(rows)  # nothing may rest on the order of rows
        _write(folder / f"{name}.csv", COLUMNS[name], rows, original_form=original_form)
    return folder


def _add_courses(tables: _Tables, presentations: Sequence[str]) -> None:
    assessment = 1752
    for presentation in presentations:
        for module, days in DUE_DAYS.items():
            tables.rows["courses"].append((module, presentation, 268))
            for day in days:
                assessment += 1
                kind = "Exam" if day == EXAM else "TMA"
                tables.rows["assessments"].append((module, presentation, assessment, kind, day, 12.5))
                tables.assessments.setdefault((module, presentation), []).append((assessment, day))


def _add_learner(tables: _Tables, dice: random.Random, number: int, student: int, presentations: Sequence[str]) -> None:
    corner = number % len(CORNERS)
    lap = number // len(CORNERS)
    presentation = presentations[(number + lap) % len(presentations)]
    region = REGIONS[(number + lap) % len(REGIONS)]
    modules = dice.sample(sorted(DUE_DAYS), 2 if corner in IN_SEVERAL_MODULES else 1)
    for module in modules:
        registered = CORNERS[corner](dice)
        enrolment = (module, presentation, student)
        tables.rows["studentInfo"].append((*enrolment, region, dice.choice(("Pass", "Fail", "Withdrawn"))))
        tables.rows["studentRegistration"].append((*enrolment, *registered))
        for assessment, due_day in tables.assessments[module, presentation]:
            day = _submitted(dice, due_day, early=corner == JOINED_AFTER_SUBMITTING)
            if day is not None:
                score = dice.choice((dice.randint(0, 100), ""))
                tables.rows["studentAssessment"].append((assessment, student, day, dice.randint(0, 1), score))


def _submitted(dice: random.Random, due_day: int | str, *, early: bool) -> int | None:
    """Draw the day of a submission: mostly in time, sometimes late, sometimes never."""
    if due_day == EXAM:
        return None if dice.random() < 0.5 else dice.randint(200, 230)
    if early:
        return int(due_day) - dice.randint(20, 70)
    fate = dice.random()
    if fate < 0.25:
        return None
    if fate < 0.40:
        return int(due_day) + dice.randint(1, 20)
    return int(due_day) - dice.choice((0, 1, 2, 3, 8, 13, 14, 20, 29, 30, 45))


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, original_form: bool) -> None:
    table = [list(map(str, line)) for line in (columns, *rows)]
    if original_form and path.stem == "studentInfo":
        table = [[*line[:3], "gender" if line is table[0] else "F", *line[3:]] for line in table]
    with path.open("w", encoding="utf-8", newline="") as file:
        ending = "\r\n" if original_form else "\n"
        writer = csv.writer(file, quoting=csv.QUOTE_ALL if original_form else csv.QUOTE_MINIMAL, lineterminator=ending)
        writer.writerows(table)


def main() -> int:
    """Write a folder for somebody who wants to look at one."""
    parser = argparse.ArgumentParser(description="Write a small folder in OULAD form.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--learners", type=int, default=SIZES["small"])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = generate(arguments.folder, learners=arguments.learners, seed=arguments.seed)
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
