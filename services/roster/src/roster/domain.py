"""What a file does to a roster: people, rows and `now` in, a plan out; no I/O, no clock."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from roster.brake import Brake, Limits, Shape, verdict
from roster.looks import doubles, managers
from roster.record import FIELDS, Change, Finding, Kind, Known, Record, Row, Sheet, Status

YEARS_MIN, YEARS_MAX = 1970, 2199  # what an instant in an event may lie in


class Roster(NamedTuple):
    """A tenant's people before a run."""

    people: Mapping[str, Known]
    last_rows: int | None
    """Good rows of the last complete file that was taken."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, and whether it may."""

    changes: tuple[Change, ...]
    unchanged: int
    rows: int
    good_rows: int
    refused: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    brakes: tuple[Brake, ...]

    @property
    def refused_rows(self) -> int:
        """Rows of which nothing was taken; one may have several faults."""
        return self.rows - self.good_rows

    @property
    def counts(self) -> dict[str, int]:
        """People by what happens to them."""
        return dict(Counter(change.kind for change in self.changes))


def plan(roster: Roster, sheet: Sheet, *, complete: bool, limits: Limits, now: datetime) -> Plan:
    """Plan a run; the order of the rows decides nothing."""
    good, refused = _sorted_out(roster.people, sheet.rows, now.date())
    keep = tuple(place for place, field in enumerate(FIELDS) if field not in sheet.columns)
    after: dict[str, Record] = {pid: known.record for pid, known in roster.people.items()}
    changes: list[Change] = []
    for row in good:
        change = _change(row, roster.people.get(row.record.person_id), keep, now)
        if change is not None:
            changes.append(change)
            after[row.record.person_id] = change.record
    missing, notes = _missing(roster.people, sheet) if complete else ((), ())
    for known in missing:
        gone = known.record._replace(status="departed", since=now)
        changes.append(Change("leaves", gone, known.version + 1, known.fold, ("status",)))
        after[gone.person_id] = gone
    changes.sort(key=lambda change: change.record.person_id)
    alike = doubles(roster.people, [change for change in changes if change.kind == "joins"])
    shape = _shape(roster, sheet, good, changes, after, complete=complete, doubled=len(alike))
    lines = {row.record.person_id: row.line for row in good}
    findings = [*sheet.notes, *notes, *(_told(pid, "mail", "looks_like", lines, DOUBLE) for pid in alike)]
    findings += [_told(pid, "manager_id", code, lines, WORDS[code]) for pid, code in managers(after, lines)]
    return Plan(
        tuple(changes),
        len(good) + len(missing) - len(changes),
        sheet.rows_total,
        len(good),
        tuple(sorted([*sheet.refused, *refused], key=_place)),
        tuple(sorted(findings, key=_place)),
        verdict(shape, limits),
    )


DOUBLE = "shares the mail address, or name and first day, with somebody who has another id"
WORDS = {
    "manager_unknown": "names a manager who is not in the roster",
    "manager_departed": "names a manager who has left",
    "own_manager": "names this person as their own manager",
    "manager_circle": "names a manager whose own managers lead back here",
}
NAMELESS = "{} refused rows do not say whom they are about: nobody is taken as missing from this file"


def _told(person_id: str, column: str, code: str, lines: Mapping[str, int], words: str) -> Finding:
    return Finding(lines.get(person_id, 0), column, code, f"{person_id} {words}")


def _place(finding: Finding) -> tuple[int, str, str]:
    return finding.line, finding.column, finding.code


def _sorted_out(people: Mapping[str, Known], rows: Iterable[Row], today: date) -> tuple[list[Row], list[Finding]]:
    """Part the rows that can be taken from those that contradict who works here, or the calendar."""
    ids = {known.fold: person_id for person_id, known in people.items()}
    good, refused = [], []
    for row in rows:
        record = row.record
        fault = None
        if ids.get(row.fold, record.person_id) != record.person_id:
            text = "differs from the id of somebody here only by case, spaces or leading zeros"
            fault = Finding(row.line, "person_id", "id_alike", text)
        elif record.left_on and record.hired_on and record.hired_on > record.left_on:
            fault = Finding(row.line, "left_on", "hired_after_left", "is before hired_on")
        elif record.left_on and record.left_on < today and record.status in {"active", "on_leave"}:
            fault = Finding(row.line, "status", "left_already", "says somebody is here whose left_on has passed")
        elif record.left_on and record.left_on > today and record.status == "departed":
            fault = Finding(row.line, "status", "not_left_yet", "says somebody has left whose left_on is to come")
        if fault is None:
            good.append(row)
        else:
            refused.append(fault)
    return good, refused


def _change(row: Row, known: Known | None, keep: Sequence[int], now: datetime) -> Change | None:
    """Return what a row changes; None: nothing. A column that the file does not have keeps what is known."""
    new = row.record
    if known is not None and keep:
        values = list(new)
        for place in keep:
            values[place] = known.record[place]
        new = Record._make(values)
    status = row.record.status or _status(new, known, now.date())
    held = known is not None and known.record.status == status
    new = new._replace(status=status, since=known.record.since if known and held else _since(new, status, known, now))
    if known is None:
        kind: Kind = "past" if status == "departed" else "joins"
        return Change(kind, new, 1, row.fold, ())
    if new == known.record:
        return None
    fields = tuple(
        name for name, old, value in zip(FIELDS, known.record, new, strict=True) if old != value and name != "since"
    )
    kind = "changes" if held else "leaves" if status == "departed" else "changes"
    if not held and known.record.status == "departed":
        kind = "returns"
    return Change(kind, new, known.version + 1, known.fold, fields)


def _status(new: Record, known: Known | None, today: date) -> Status:
    """Say what a row without a status means: who is in the file is here, unless their last day has passed."""
    if new.left_on is not None and new.left_on < today:
        return "departed"
    # `new` holds what is known where the file has no such column; a cell left empty says: here and at work.
    return "on_leave" if known is not None and new.status == "on_leave" else "active"


def _since(new: Record, status: Status, known: Known | None, now: datetime) -> datetime:
    """Say when a status began: the day the file names, if it has come, else this run."""
    day = new.left_on if status == "departed" else new.hired_on if known is None else None
    if day is None or day > now.date() or not YEARS_MIN <= day.year <= YEARS_MAX:
        return now
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _missing(people: Mapping[str, Known], sheet: Sheet) -> tuple[tuple[Known, ...], tuple[Finding, ...]]:
    """Return who is not in a complete file; nobody, when a refused row could be about anybody."""
    if sheet.nameless:
        return (), (Finding(0, "person_id", "departures_withheld", NAMELESS.format(sheet.nameless)),)
    named = {row.fold for row in sheet.rows} | sheet.refused_folds
    return tuple(
        known for known in people.values() if known.record.status != "departed" and known.fold not in named
    ), ()


def _shape(
    roster: Roster,
    sheet: Sheet,
    good: Sequence[Row],
    changes: Sequence[Change],
    after: Mapping[str, Record],
    *,
    complete: bool,
    doubled: int,
) -> Shape:
    """Measure a planned run for its brakes."""
    before = Counter(known.record.status for known in roster.people.values())
    return Shape(
        complete=complete,
        rows=sheet.rows_total,
        good_rows=len(good),
        last_rows=roster.last_rows,
        employed=before["active"] + before["on_leave"],
        active=before["active"],
        leaving=sum(change.kind == "leaves" for change in changes),
        departed_rows=sum(after[row.record.person_id].status == "departed" for row in good),
        doubles=doubled + sheet.doubled,
        changes=len(changes),
    )
