"""The oracle itself, held against the published figures and against cases counted by hand."""

import csv
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.oracle.folder import COLUMNS, CORNERS, EXAM, SIZES, generate
from tests.oracle.oulad import Truth, real_folder, truth

PROJECT = Path(__file__).resolve().parents[2]
REAL = real_folder()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def folder_of(path: Path, registration: str, due: str, submission: str = "", region: str = "Wales") -> Path:
    """Write a folder with one learner, one module and one assessment."""
    rows = {
        "courses": "AAA,2013J,268",
        "assessments": f"AAA,2013J,1,TMA,{due},10",
        "studentInfo": f"AAA,2013J,7,{region},Pass",
        "studentRegistration": f"AAA,2013J,7,{registration}",
        "studentAssessment": submission and f"1,7,{submission},0,70",
    }
    for name, row in rows.items():
        path.joinpath(f"{name}.csv").write_text(f"{','.join(COLUMNS[name])}\n{row}\n", encoding="utf-8")
    return path


def moments(expected: Truth) -> dict[int, datetime]:
    assert {("learner7@learners.example", "AAA-2013J-1-7")} >= {key[:2] for key in expected.reminders}
    return {int(step): moment for (_, _, step), moment in expected.reminders.items()}


# Day 40 is 2013-11-10: due 23:59:59Z, so each step goes on the day after its threshold's.
IN_WINTER = {30: utc("2013-10-12T08:00"), 14: utc("2013-10-28T09:00"), 3: utc("2013-11-08T09:00")}
HAND_MADE: dict[str, tuple[tuple[str, str, str], dict[int, datetime]]] = {
    "all three, over the end of summer time": (("-40,", "40", ""), IN_WINTER),
    "no day of registration": ((",", "40", ""), {}),
    "no cut-off day": (("-40,", "", "3"), {}),
    "joined on the day of the 14-day step": (("27,", "40", ""), {n: IN_WINTER[n] for n in (14, 3)}),
    "joined the day after it": (("28,", "40", ""), {3: IN_WINTER[3]}),
    "joined after the due day": (("41,", "40", ""), {}),
    "submitted on the day of a step, after it": (("-40,", "40", "27"), {n: IN_WINTER[n] for n in (30, 14)}),
    "submitted the day before": (("-40,", "40", "26"), {30: IN_WINTER[30]}),
    "submitted before joining": (("0,", "40", "-5"), {}),
    "submitted after the due day": (("-40,", "40", "55"), IN_WINTER),
    "left on the day of a step, before it": (("-40,27", "40", ""), {30: IN_WINTER[30]}),
    "left the day after": (("-40,28", "40", ""), {n: IN_WINTER[n] for n in (30, 14)}),
    "left before joining": (("0,-5", "40", ""), {}),
    "left after the due day": (("-40,50", "40", ""), IN_WINTER),
    # Day 183 is 2014-04-02; the last Sunday of March is the 30th, when London goes to UTC+1.
    "all three, over the start of summer time": (
        ("-40,", "183", ""),
        {30: utc("2014-03-04T09:00"), 14: utc("2014-03-20T09:00"), 3: utc("2014-03-31T08:00")},
    ),
    "on the Sunday itself, in spring": (
        ("150,", "182", ""),
        {30: utc("2014-03-03T09:00"), 14: utc("2014-03-19T09:00"), 3: utc("2014-03-30T08:00")},
    ),
    "on the Sunday itself, in autumn": (("20,", "28", ""), {3: utc("2013-10-27T09:00")}),
    "due before the first day": (
        ("-60,", "-2", ""),
        {30: utc("2013-08-31T08:00"), 14: utc("2013-09-16T08:00"), 3: utc("2013-09-27T08:00")},
    ),
}


@pytest.mark.parametrize("region", ["Wales", "Ireland"])
@pytest.mark.parametrize("case", HAND_MADE)
def test_oracle_finds_the_moments_counted_by_hand(tmp_path: Path, case: str, region: str) -> None:
    """B-01 to B-05: threshold, local hour, assigned by then, open, not withdrawn, not yet due."""
    (registration, due, submission), expected = HAND_MADE[case]

    assert moments(truth(folder_of(tmp_path, registration, due, submission, region))) == expected


def test_oracle_counts_what_it_skips(tmp_path: Path) -> None:
    assert truth(folder_of(tmp_path, ",", "40")).registrations_without_day == 1
    assert truth(folder_of(tmp_path, "-40,", EXAM)).assessments_without_day == 1


def test_oracle_ends_at_midnight_of_the_day_given(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "-40,", "40")

    assert set(moments(truth(folder, until=date(2013, 10, 28)))) == {30}
    assert set(moments(truth(folder, until=date(2013, 10, 29)))) == {30, 14}


def test_oracle_refuses_a_presentation_whose_start_nobody_gave(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "-40,", "40")
    for file in folder.iterdir():
        file.write_text(file.read_text(encoding="utf-8").replace("2013J", "2013B"), encoding="utf-8")

    with pytest.raises(ValueError, match="2013B"):
        truth(folder)


@dataclass(frozen=True)
class Figures:
    assignments: int
    by_step: dict[str, int]
    first: str
    last: str


GENERATED = Figures(343, {"30": 192, "14": 167, "3": 121}, "2013-08-31T08:00", "2015-04-11T08:00")
PUBLISHED = Figures(22_985, {"30": 22_578, "14": 22_198, "3": 18_940}, "2013-09-21T08:00", "2014-01-31T09:00")
KNOWN: dict[str, tuple[Path | None, Figures]] = {"generated": (None, GENERATED)}
if REAL is not None:
    KNOWN["real learners"] = (REAL, PUBLISHED)


@pytest.mark.parametrize("name", KNOWN)
def test_oracle_agrees_with_the_figures_known_of_a_folder(tmp_path: Path, name: str) -> None:
    """The real ones are published with the data: 63,716 reminders for 22,985 assignments."""
    folder, figures = KNOWN[name]
    expected = truth(folder or generate(tmp_path, learners=SIZES["small"], seed=1))

    assert len(expected.assignments) == figures.assignments
    assert expected.by_step() == figures.by_step
    assert len(expected.reminders) == sum(figures.by_step.values())
    assert min(expected.reminders.values()) == utc(figures.first)
    assert max(expected.reminders.values()) == utc(figures.last)


def test_generated_folder_is_the_same_for_the_same_seed_in_another_process(tmp_path: Path) -> None:
    here = generate(tmp_path / "here", learners=8, seed=5)
    command = [sys.executable, "-m", "tests.oracle.folder", str(tmp_path / "there")]
    environment = os.environ | {"PYTHONHASHSEED": "77"}
    subprocess.run([*command, "--learners", "8", "--seed", "5"], check=True, cwd=PROJECT, env=environment)

    for file in here.iterdir():
        assert file.read_bytes() == (tmp_path / "there" / file.name).read_bytes()


@pytest.mark.parametrize("size", SIZES)
def test_generated_folder_holds_every_corner(tmp_path: Path, size: str) -> None:
    folder = generate(tmp_path, learners=SIZES[size], seed=2)
    expected = truth(folder)
    registrations = rows(folder, "studentRegistration")

    ended = Counter(assignment.ended_by for assignment in expected.assignments.values())
    assert set(ended) == {"due", "completed", "withdrawn"}
    assert SIZES[size] // len(CORNERS) <= expected.registrations_without_day
    assert expected.assessments_without_day == 2
    assert {row["code_presentation"] for row in registrations} == {"2013J", "2014J"}
    assert any(times > 1 for times in Counter(row["id_student"] for row in registrations).values())
    assert "Ireland" in {row["region"] for row in rows(folder, "studentInfo")}
    assert any(int(row["date_submitted"]) < 0 for row in rows(folder, "studentAssessment"))
    early = [each for each in expected.assignments.values() if each.ends_at == each.assigned_at]
    assert early  # submitted before the registration
    assert {moment.hour for moment in expected.reminders.values()} == {8, 9}
    assert set(expected.by_step().values()) - {0} == set(expected.by_step().values())


def test_generated_folder_in_the_original_form_means_the_same(tmp_path: Path) -> None:
    plain = generate(tmp_path / "plain", learners=8, seed=5)
    original = generate(tmp_path / "original", learners=8, seed=5, original_form=True)

    assert truth(plain) == truth(original)
    assert b'"\r\n"' in (original / "courses.csv").read_bytes()


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
