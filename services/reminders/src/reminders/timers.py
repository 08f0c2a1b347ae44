"""The same as handlers.py, when time passes instead of an event."""

from collections.abc import Sequence
from datetime import datetime

from reminders import domain, outcomes
from reminders.deadline import Deadline
from reminders.policies import Policies
from reminders.store import Store


async def remind(rows: Sequence[Deadline], now: datetime, tx: Store, policies: Policies) -> None:
    """Request the reminders due at `now`, and say why the others stay silent.

    The rows are claimed and locked as they are now: people finish, leave and change dates until this moment.
    """
    await policies.learn(rows, tx)
    persons = await tx.people({(row.tenant_id, row.person_id) for row in rows})
    before = await tx.decided({(row.tenant_id, row.assignment_id) for row in rows})
    planned, made = [], []
    for row in rows:
        person = persons.get((row.tenant_id, row.person_id))
        known = before[row.tenant_id, row.assignment_id]
        decisions, next_look = domain.remind(row, person, policies.for_case(row), known, now)
        planned.append(next_look)
        made += [outcomes.named(next_look, decision, now) for decision in decisions]
    await tx.save(planned)
    await tx.record(made)
    outcomes.emit(made, tx)
