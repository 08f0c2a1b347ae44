"""What had to happen, recomputed from the raw log alone; shares nothing with Duly."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from tests.faults.live.policy import Policy

ENDS = {"training.completed.v1": "completed", "training.withdrawn.v1": "withdrawn"}
ABOUT_S = 5.0
"""Two topics: which of two facts told within this time is heard first, nobody knows."""
BY_FILE_S = 60.0
"""So long may it take from the answer to a file until reminders has heard of the people in it."""
OVERTAKEN = frozenset({"superseded", "expired"})


class Key(NamedTuple):
    """One notification: whose, about which assignment, which step."""

    tenant: str
    person: str
    assignment: str
    step: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What must become of one notification.

    `must`: accepted, parked, or refused by the relay for good. `may`: that, or silence for one of `reasons`.
    `never`: silence for one of `reasons`.
    """

    key: Key
    to: str
    verdict: Literal["must", "may", "never"]
    due_at: float  # its moment, or when the last fact that it needs was told
    reasons: frozenset[str] = frozenset()
    stops: tuple[str, ...] = ()  # ids of the events that end it


@dataclass(slots=True)
class Assignment:
    """What the raw log says of one assignment."""

    person: str = ""
    given_at: datetime | None = None
    due_at: datetime | None = None
    told_at: float = 0
    chunk: int = 0
    ends: list[tuple[str, str, int]] = field(default_factory=list)  # reason, event id, chunk


@dataclass(slots=True)
class Person:
    """What the raw log says of one person."""

    zone: str = ""
    mail: str = ""
    told_at: float = 0
    told_by: str = ""  # the event that told of them first; empty for who comes by a file
    known_by: float = 0  # when told, but for who comes by a file: when its import was answered
    version: int = 0
    departed: bool = False


@dataclass(slots=True)
class Told:
    """The raw log, folded."""

    people: dict[tuple[str, str], Person] = field(default_factory=lambda: defaultdict(Person))
    assignments: dict[tuple[str, str], Assignment] = field(default_factory=lambda: defaultdict(Assignment))
    requests: dict[Key, float] = field(default_factory=dict)  # asked of messenger directly, by their moment


def fold(raw: Iterable[dict[str, Any]]) -> Told:
    """Read the raw log; what is no event of ours (malformed on purpose), or is judged apart, tells nothing."""
    told = Told()
    files: dict[str, list[Person]] = {}
    for line in raw:
        if line["topic"] == "roster":
            _file(told, files, line)
            continue
        headers = dict(line["headers"])
        kind = headers.get("ce_type", "").removeprefix("duly.")
        if line.get("poison") or line.get("apart") or not kind.startswith(("people.", "training.", "outreach.")):
            continue
        data = json.loads(line["value"])
        if kind == "people.recorded.v1":
            _person(told.people[data["tenant_id"], data["person_id"]], data, line["at"], headers["ce_id"])
            continue
        if kind in ("outreach.requested.v1", "outreach.requested.v2"):
            asked = Key(data["tenant_id"], data["person_id"], data["about"], data["step"])
            told.requests[asked] = _instant(data["not_before"]).timestamp()
            continue
        known = told.assignments[data["tenant_id"], data["assignment_id"]]
        if kind == "training.assigned.v1":
            known.person, known.told_at, known.chunk = data["person_id"], line["at"], line["chunk"]
            known.given_at, known.due_at = _instant(data["occurred_at"]), _instant(data["due_at"])
        elif kind in ENDS:
            known.ends.append((ENDS[kind], headers["ce_id"], line["chunk"]))
    return told


def _file(told: Told, files: dict[str, list[Person]], line: dict[str, Any]) -> None:
    """Read the rows of a file when it is sent first, and who is known once it is answered; a held one tells nothing."""
    if line["held"]:
        return
    if line.get("answered"):
        for known in files[line["file"]]:
            known.known_by = known.known_by or line["at"]
        return
    known_now = files[line["file"]] = []
    for row in csv.DictReader(io.StringIO(line["csv"])):
        known = told.people[line["tenant"], row["person_id"]]
        more = {"version": known.version + 1, "status": row["status"], "zone": row["time_zone"]}
        _person(known, {**more, "personal": {"mail": row["mail"]}}, line["at"], "")
        known_now.append(known)


def _person(known: Person, data: dict[str, Any], at: float, event: str) -> None:
    if data["version"] > known.version:
        if not known.version:
            known.told_at, known.told_by = at, event
        known.version, known.departed = data["version"], data["status"] == "departed"
        known.zone, known.mail = data["zone"], data["personal"]["mail"]


def expected(
    told: Told,
    policy: Policy,
    until: float,
    heard: Mapping[str, float] | None = None,
    deleted: Collection[str] = (),
) -> dict[Key, Notice]:
    """Say what must have become of every notification whose moment lay before `until`.

    Of people's events `heard` says when reminders had surely heard them; the topics of people and trainings overtake
    each other, and by a brake on one of them they do so for long. Events whose record was `deleted` may have been heard
    only when all was told again, after what had been told later.
    """
    notices = (
        notice
        for (tenant, name), known in told.assignments.items()
        if known.given_at is not None
        for notice in _of(tenant, name, known, told.people[tenant, known.person], policy, until, heard or {}, deleted)
    )
    return {notice.key: notice for notice in (*notices, *_asked(told, until))}


def _asked(told: Told, until: float) -> Iterator[Notice]:
    """Say the same of what was asked of messenger directly; an end that is told at all may have come in time."""
    for key, moment in told.requests.items():
        person, ends = told.people[key.tenant, key.person], told.assignments[key.tenant, key.assignment].ends
        reasons = frozenset(reason for reason, _, _ in ends) | ({"person_departed"} if person.departed else frozenset())
        if moment <= until:
            at = max(moment, person.told_at)
            stops = tuple(event for _, event, _ in ends)
            yield Notice(key, person.mail, "may" if reasons else "must", at, reasons, stops)


def _heard_by(person: Person, heard: Mapping[str, float]) -> float:
    """Say until when reminders may not have known this person."""
    if person.known_by:
        return person.known_by + BY_FILE_S
    return max(person.told_at + ABOUT_S, heard.get(person.told_by, 0.0))


def _of(
    tenant: str,
    name: str,
    known: Assignment,
    person: Person,
    policy: Policy,
    until: float,
    heard: Mapping[str, float],
    deleted: Collection[str],
) -> Iterator[Notice]:
    moments = [(step, at) for step, at in _moments(known, person.zone, policy) if at <= until]
    known_at = max(known.told_at, person.told_at)
    late = [at for _, at in moments if at <= known_at]
    ends = tuple(event for _, event, _ in known.ends)
    reasons = frozenset(reason for reason, _, _ in known.ends)
    if person.departed:
        reasons |= {"person_departed"}
    before = any(chunk < known.chunk for _, event, chunk in known.ends if event not in deleted)
    for place, (step, at) in enumerate(moments):
        overtaken = bool(late) and at < late[-1]
        verdict: Literal["must", "may", "never"] = "must"
        silent = reasons
        if overtaken or before:
            verdict = "never"
        elif reasons or place < len(moments) - 1 or person.told_at < at <= person.known_by:
            verdict = "may"
        if place < len(moments) - 1:
            silent = silent | OVERTAKEN
            if _heard_by(person, heard) > known.told_at:
                silent = silent | {"recipient_unknown"}
        yield Notice(Key(tenant, known.person, name, step), person.mail, verdict, max(at, known_at), silent, ends)


def _moments(known: Assignment, zone: str, policy: Policy) -> list[tuple[str, float]]:
    """List the steps of an assignment and their moments, earliest first."""
    if known.given_at is None or known.due_at is None:
        return []
    found = []
    for days in sorted(policy.offsets_days, reverse=True):
        at = policy.first_at(known.due_at - timedelta(days=days), zone or policy.zone)
        if known.given_at <= at < known.due_at:
            found.append((str(days), at.timestamp()))
    return found


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
