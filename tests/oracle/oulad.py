"""What a replay of a folder in OULAD form must send, computed from its CSV files alone.

This is the second opinion: it shares no code with the product, so a misread rule has to be misread twice
to stay hidden. It trusts the folder; broken folders are the product's to refuse (test_broken_folders.py).
"""

import argparse
import csv
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

STEPS_DAYS = (30, 14, 3)
SENDING_HOUR = time(9)
REAL_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "oulad"

Row = dict[str, str]
Key = tuple[str, str, str]
"""(address, assignment id, step): what one reminder is, whenever it goes."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One person, one assessment: from when it counts, and the instant after which nobody may be reminded."""

    id: str
    to: str
    assigned_at: datetime
    due_at: datetime
    ends_at: datetime
    ended_by: str  # completed, withdrawn or due: whichever comes first


@dataclass(frozen=True, slots=True)
class Truth:
    """The whole expected result of one replay."""

    reminders: dict[Key, datetime]
    assignments: dict[str, Assignment]
    registrations_without_day: int
    assessments_without_day: int

    def by_step(self) -> dict[str, int]:
        """Count the reminders of each step."""
        steps = [step for _, _, step in self.reminders]
        return {str(step): steps.count(str(step)) for step in STEPS_DAYS}


def truth(folder: Path, until: date | None = None) -> Truth:
    """Compute every reminder of the folder; with `until` only those before 00:00Z of that day."""
    registrations = _rows(folder, "studentRegistration.csv")
    assessments = _rows(folder, "assessments.csv")
    regions = {_enrolment(row): row["region"] for row in _rows(folder, "studentInfo.csv")}
    submitted = {
        (row["id_assessment"], row["id_student"]): int(row["date_submitted"])
        for row in _rows(folder, "studentAssessment.csv")
    }
    end = None if until is None else datetime.combine(until, time(), tzinfo=UTC)
    assignments: dict[str, Assignment] = {}
    reminders: dict[Key, datetime] = {}
    for registration in registrations:
        if not registration["date_registration"]:
            continue
        zone = _zone(regions[_enrolment(registration)])
        for assessment in assessments:
            if assessment["date"] and _presentation(assessment) == _presentation(registration):
                day = submitted.get((assessment["id_assessment"], registration["id_student"]))
                assignment = _assignment(registration, assessment, day)
                assignments[assignment.id] = assignment
                for step, moment in _reminders(assignment, zone):
                    if end is None or moment < end:
                        reminders[assignment.to, assignment.id, step] = moment
    return Truth(
        reminders=reminders,
        assignments=assignments,
        registrations_without_day=sum(not row["date_registration"] for row in registrations),
        assessments_without_day=sum(not row["date"] for row in assessments),
    )


def real_folder() -> Path | None:
    """Find the real data: where DULY_OULAD_DIR points, else beside the project, else nowhere."""
    named = os.environ.get("DULY_OULAD_DIR")
    folder = Path(named) if named else REAL_FOLDER
    return folder if (folder / "assessments.csv").exists() else None


def _rows(folder: Path, name: str) -> list[Row]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _presentation(row: Row) -> tuple[str, str]:
    return row["code_module"], row["code_presentation"]


def _enrolment(row: Row) -> tuple[str, str, str]:
    return row["code_module"], row["code_presentation"], row["id_student"]


def _zone(region: str) -> ZoneInfo:
    return ZoneInfo("Europe/Dublin" if region == "Ireland" else "Europe/London")


def _at(presentation: str, day: int, hour: time = time()) -> datetime:
    """Count a day from the start of the presentation: 1 October for `J`."""
    year = re.fullmatch(r"(\d{4})J", presentation)
    if year is None:
        raise ValueError(f"no start is known for presentation {presentation!r}")
    return datetime.combine(date(int(year[1]), 10, 1) + timedelta(days=day), hour, tzinfo=UTC)


def _assignment(registration: Row, assessment: Row, submitted_day: int | None) -> Assignment:
    module, presentation, student = _enrolment(registration)
    assigned_at = _at(presentation, int(registration["date_registration"]))
    due_at = _at(presentation, int(assessment["date"]), time(23, 59, 59))
    ends = [(due_at, "due")]
    if submitted_day is not None:
        ends.append((max(_at(presentation, submitted_day, time(12)), assigned_at), "completed"))
    if registration["date_unregistration"]:
        ends.append((_at(presentation, int(registration["date_unregistration"])), "withdrawn"))
    ends_at, ended_by = min(ends)
    return Assignment(
        id=f"{module}-{presentation}-{assessment['id_assessment']}-{student}",
        to=f"learner{student}@learners.example",
        assigned_at=assigned_at,
        due_at=due_at,
        ends_at=ends_at,
        ended_by=ended_by,
    )


def _reminders(assignment: Assignment, zone: ZoneInfo) -> Iterator[tuple[str, datetime]]:
    for step_days in STEPS_DAYS:
        moment = _sending_moment(assignment.due_at - timedelta(days=step_days), zone)
        if assignment.assigned_at <= moment < assignment.ends_at:
            yield str(step_days), moment


def _sending_moment(threshold: datetime, zone: ZoneInfo) -> datetime:
    """Find the first 09:00 of the zone at or after the threshold."""
    day = threshold.astimezone(zone).date()
    today = datetime.combine(day, SENDING_HOUR, tzinfo=zone).astimezone(UTC)
    if today >= threshold:
        return today
    return datetime.combine(day + timedelta(days=1), SENDING_HOUR, tzinfo=zone).astimezone(UTC)


def main() -> int:
    """Print the figures of a folder."""
    parser = argparse.ArgumentParser(description="What a replay must send, as one line of JSON.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--until", type=date.fromisoformat, help="end at 00:00Z of this day, YYYY-MM-DD")
    arguments = parser.parse_args()
    expected = truth(arguments.folder, arguments.until)
    moments = sorted(expected.reminders.values())
    figures = {
        "assignments": len(expected.assignments),
        "reminders": len(expected.reminders),
        "by_step": expected.by_step(),
        "first": moments[0].isoformat() if moments else None,
        "last": moments[-1].isoformat() if moments else None,
        "registrations_without_day": expected.registrations_without_day,
        "assessments_without_day": expected.assessments_without_day,
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
