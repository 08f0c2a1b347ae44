"""The pure core plays a whole folder: exactly the reminders that an oracle finds without any of its code."""

import heapq
from datetime import UTC, datetime
from pathlib import Path

import pytest

from duly_cli.rehearsal.oulad import read
from duly_contracts.decode import Fact
from duly_contracts.people import PersonRecordedV1
from duly_contracts.training import TrainingEvent
from reminders.deadline import Deadline, apply
from reminders.domain import Person, plan, remind, zone_for
from reminders.schedule import occurrence
from tests.oracle.folder import generate
from tests.oracle.oulad import Key, truth
from tests.unit.reminders.given import POLICY

END = datetime(2199, 1, 1, tzinfo=UTC)


class Core:
    """Rows, people and decisions in dictionaries; a heap stands for the index on `next_due_at`."""

    def __init__(self) -> None:
        self.rows: dict[str, Deadline] = {}
        self.people: dict[str, Person] = {}
        self.decided: dict[str, set[str]] = {}
        self.waiting: list[tuple[datetime, str]] = []
        self.told: dict[Key, datetime] = {}

    def save(self, row: Deadline) -> None:
        self.rows[row.assignment_id] = row
        if row.next_due_at is not None:
            heapq.heappush(self.waiting, (row.next_due_at, row.assignment_id))

    def heard(self, fact: Fact[TrainingEvent]) -> None:
        about, person = fact.data.assignment_id, self.people.get(fact.data.person_id)
        row = apply(self.rows.get(about), fact)
        self.save(plan(row, POLICY, zone_for(person, POLICY), self.decided.setdefault(about, set())))

    def pass_time(self, now: datetime) -> None:
        while self.waiting and self.waiting[0][0] < now:
            at, about = heapq.heappop(self.waiting)
            row = self.rows[about]
            if row.next_due_at != at:
                continue
            decisions, row = remind(row, self.people.get(row.person_id), POLICY, self.decided[about], at)
            for decision in decisions:
                assert row.due_at is not None
                self.decided[about].add(occurrence(decision.step, row.due_at))
                if decision.speak:
                    self.told[f"learner{row.person_id}@learners.example", about, decision.step] = at
            self.save(row)


@pytest.mark.parametrize("seed", range(3))
def test_core_tells_exactly_what_the_oracle_finds(tmp_path: Path, seed: int) -> None:
    """G-09, B-18 to B-22: each person, assignment and step at its very instant; no more, no fewer."""
    core = Core()
    for fact in read(generate(tmp_path, learners=80, seed=seed)).facts:
        core.pass_time(fact.instant)
        match fact.event:
            case PersonRecordedV1() as person:
                core.people[person.person_id] = Person(person.status, person.zone)
            case TrainingEvent() as data:
                core.heard(Fact(fact.event_id, fact.source, data, 0))
    core.pass_time(END)

    assert core.told == truth(tmp_path).reminders
