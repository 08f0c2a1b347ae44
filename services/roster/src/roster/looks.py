"""What looks wrong in a roster and is taken all the same: circles of managers, one person under two ids."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from roster.record import Change, Known, Record

Mark = tuple[str, str] | tuple[str, date]
"""What nobody shares with a colleague: a mail address, or a name with a first day."""


def managers(people: Mapping[str, Record], asked: Iterable[str]) -> list[tuple[str, str]]:
    """Return person and code for each of those asked about whose manager cannot be one (S-23)."""
    circled = _in_circles(people)
    found = []
    for person_id in asked:
        person = people[person_id]
        if person.manager_id is None or person.status == "departed":
            continue
        boss = people.get(person.manager_id)
        if boss is person:
            found.append((person_id, "own_manager"))
        elif boss is None:
            found.append((person_id, "manager_unknown"))
        elif boss.status == "departed":
            found.append((person_id, "manager_departed"))
        elif person_id in circled:
            found.append((person_id, "manager_circle"))
    return found


def _in_circles(people: Mapping[str, Record]) -> set[str]:
    """Return who stands in a circle of managers; each person is walked past once, however deep the chain."""
    walk_of: dict[str, str] = {}  # person: where the walk began that came past first
    circled: set[str] = set()
    for start in people:
        at: str | None = start
        while at is not None and at in people and at not in walk_of:
            walk_of[at] = start
            at = people[at].manager_id
        if at is not None and walk_of.get(at) == start and at not in circled:
            first, member = at, people[at].manager_id
            circled.add(first)
            while member is not None and member != first:
                circled.add(member)
                member = people[member].manager_id
    return circled


def doubles(people: Mapping[str, Known], joining: Sequence[Change]) -> list[str]:
    """Return who joins but looks like somebody else (B-38): of several new ones alike, all but the first by id."""
    if not joining:
        return []
    owners: dict[Mark, str] = {}
    for person_id, known in people.items():
        for mark in _marks(known.record):
            owners[mark] = person_id
    found = set()
    new: defaultdict[Mark, list[str]] = defaultdict(list)
    for change in joining:
        for mark in _marks(change.record):
            new[mark].append(change.record.person_id)
    for mark, ids in new.items():
        found.update(ids if mark in owners else sorted(ids)[1:])
    return sorted(found)


def _marks(record: Record) -> Iterable[Mark]:
    if record.mail is not None:
        yield "mail", record.mail.casefold()
    if record.name is not None and record.hired_on is not None:
        yield record.name.casefold(), record.hired_on
