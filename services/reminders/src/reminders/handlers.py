"""What reminders does with each event: load, decide, save. The chassis owns the transaction."""

from collections.abc import Sequence
from datetime import datetime

from duly_contracts.decode import Fact
from duly_contracts.people import PersonRecordedV1
from duly_contracts.training import TrainingEvent
from reminders import deadline, domain
from reminders.deadline import Deadline
from reminders.policies import Policies
from reminders.store import Key, Store


async def training(facts: Sequence[Fact[TrainingEvent]], _now: datetime, tx: Store, policies: Policies) -> None:
    """Fold these facts into their assignments' rows and plan when each must be looked at next.

    Nothing is sent from here, even if a moment is long past: reminders leave from timers.py only.
    """
    keys = {(fact.data.tenant_id, fact.data.assignment_id) for fact in facts}
    known: dict[Key, Deadline] = await tx.deadlines(keys)
    for fact in facts:
        key = (fact.data.tenant_id, fact.data.assignment_id)
        known[key] = deadline.apply(known.get(key), fact)
    await _replan(list(known.values()), tx, policies)


async def people(facts: Sequence[Fact[PersonRecordedV1]], _now: datetime, tx: Store, policies: Policies) -> None:
    """Take over people's records, and plan anew for those whose wall clock is now another one."""
    await tx.save_people(facts)
    waiting = await tx.waiting_of({(fact.data.tenant_id, fact.data.person_id) for fact in facts})
    if waiting:
        await _replan(waiting, tx, policies)


async def _replan(deadlines: Sequence[Deadline], tx: Store, policies: Policies) -> None:
    """Plan these rows with their people's zones, what was decided already, and the policy each runs on."""
    await policies.learn(deadlines, tx)
    persons = await tx.people({(row.tenant_id, row.person_id) for row in deadlines})
    decided = await tx.decided({(row.tenant_id, row.assignment_id) for row in deadlines})
    planned = []
    for row in deadlines:
        policy = policies.for_case(row)
        zone = domain.zone_for(persons.get((row.tenant_id, row.person_id)), policy)
        planned.append(domain.plan(row, policy, zone, decided[row.tenant_id, row.assignment_id]))
    await tx.save(planned)
