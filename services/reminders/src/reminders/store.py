"""The SQL of what handlers and timers load and save; what readers ask is in reading.py."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from duly_chassis import people
from duly_chassis.work import Work
from duly_contracts.decode import Fact
from duly_contracts.people import PersonRecordedV1
from reminders.deadline import Deadline, Stamp
from reminders.domain import Decision, Person
from reminders.schedule import Policy

Key = tuple[str, str]
"""Tenant, then assignment or person."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision with all it is stored under."""

    deadline: Deadline
    decision: Decision
    occurrence: str
    outreach_id: UUID
    policy_version: str
    decided_at: datetime


class Store(Work):
    """Deadlines, decisions and policies, inside one transaction."""

    async def deadlines(self, keys: Collection[Key]) -> dict[Key, Deadline]:
        """Load and lock these assignments' rows.

        ORDER BY: two replicas lock in the same order, so neither waits for the other for ever.
        """
        wanted = sorted(keys)
        rows = await self._connection.fetch(
            """
            SELECT d.*
              FROM deadlines AS d
              JOIN unnest($1::text[], $2::text[]) AS t (tenant_id, assignment_id)
                ON d.tenant_id = t.tenant_id AND d.assignment_id = t.assignment_id
             ORDER BY d.tenant_id, d.assignment_id
               FOR UPDATE OF d
            """,
            [tenant for tenant, _ in wanted],
            [assignment for _, assignment in wanted],
        )
        return {(row["tenant_id"], row["assignment_id"]): from_row(row) for row in rows}

    async def waiting_of(self, keys: Collection[Key]) -> list[Deadline]:
        """Load and lock the waiting rows of these people, to plan them anew."""
        wanted = sorted(keys)
        rows = await self._connection.fetch(
            """
            SELECT d.*
              FROM deadlines AS d
              JOIN unnest($1::text[], $2::text[]) AS t (tenant_id, person_id)
                ON d.tenant_id = t.tenant_id AND d.person_id = t.person_id
             WHERE d.next_due_at IS NOT NULL
             ORDER BY d.tenant_id, d.assignment_id
               FOR UPDATE OF d
            """,
            [tenant for tenant, _ in wanted],
            [person for _, person in wanted],
        )
        return [from_row(row) for row in rows]

    async def claim(self, now: datetime, limit: int) -> list[Deadline]:
        """Claim rows whose moment has come, oldest first; other replicas pass over them."""
        rows = await self._connection.fetch(
            """
            SELECT *
              FROM deadlines
             WHERE next_due_at <= $1
             ORDER BY next_due_at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
            """,
            now,
            limit,
        )
        return [from_row(row) for row in rows]

    async def save(self, deadlines: Sequence[Deadline]) -> None:
        """Write these rows whole: insert what is new, replace what is known."""
        stamps = [row.due_stamp for row in deadlines]
        await self._connection.execute(
            """
            INSERT INTO deadlines AS d
                   (tenant_id, assignment_id, person_id, training_id, training_title, assigned_at, due_at,
                    due_sequence, due_occurred_at, due_event_id, completed_at, withdrawn_at, zone, next_due_at,
                    policy_version, titled_at, traceparent)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                                 $7::timestamptz[], $8::bigint[], $9::timestamptz[], $10::text[], $11::timestamptz[],
                                 $12::timestamptz[], $13::text[], $14::timestamptz[], $15::text[], $16::timestamptz[],
                                 $17::text[])
                ON CONFLICT (tenant_id, assignment_id) DO UPDATE
               SET training_id = EXCLUDED.training_id, training_title = EXCLUDED.training_title,
                   assigned_at = EXCLUDED.assigned_at, due_at = EXCLUDED.due_at,
                   due_sequence = EXCLUDED.due_sequence, due_occurred_at = EXCLUDED.due_occurred_at,
                   due_event_id = EXCLUDED.due_event_id, completed_at = EXCLUDED.completed_at,
                   withdrawn_at = EXCLUDED.withdrawn_at, zone = EXCLUDED.zone, next_due_at = EXCLUDED.next_due_at,
                   policy_version = EXCLUDED.policy_version, titled_at = EXCLUDED.titled_at,
                   traceparent = EXCLUDED.traceparent, recorded_at = now()
            """,
            [row.tenant_id for row in deadlines],
            [row.assignment_id for row in deadlines],
            [row.person_id for row in deadlines],
            [row.training_id for row in deadlines],
            [row.training_title for row in deadlines],
            [row.assigned_at for row in deadlines],
            [row.due_at for row in deadlines],
            [stamp and stamp.sequence for stamp in stamps],
            [stamp and stamp.occurred_at for stamp in stamps],
            [stamp and stamp.event_id for stamp in stamps],
            [row.completed_at for row in deadlines],
            [row.withdrawn_at for row in deadlines],
            [row.zone for row in deadlines],
            [row.next_due_at for row in deadlines],
            [row.policy_version for row in deadlines],
            [row.titled_at for row in deadlines],
            [row.traceparent for row in deadlines],
        )

    async def decided(self, keys: Collection[Key]) -> dict[Key, set[str]]:
        """Return which occurrences of these assignments were decided before."""
        wanted = sorted(keys)
        rows = await self._connection.fetch(
            """
            SELECT d.tenant_id, d.assignment_id, d.occurrence
              FROM decisions AS d
              JOIN unnest($1::text[], $2::text[]) AS t (tenant_id, assignment_id)
                ON d.tenant_id = t.tenant_id AND d.assignment_id = t.assignment_id
            """,
            [tenant for tenant, _ in wanted],
            [assignment for _, assignment in wanted],
        )
        found: dict[Key, set[str]] = {key: set() for key in wanted}
        for row in rows:
            found[row["tenant_id"], row["assignment_id"]].add(row["occurrence"])
        return found

    async def record(self, decided: Sequence[Decided]) -> None:
        """Write decisions; the primary key keeps each occurrence to one."""
        await self._connection.execute(
            """
            INSERT INTO decisions (tenant_id, assignment_id, person_id, occurrence, step, moment, requested, reason,
                                   policy_version, "values", outreach_id, decided_at)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
                                 $6::timestamptz[], $7::boolean[], $8::text[], $9::text[], $10::jsonb[],
                                 $11::uuid[], $12::timestamptz[])
            """,
            [one.deadline.tenant_id for one in decided],
            [one.deadline.assignment_id for one in decided],
            [one.deadline.person_id for one in decided],
            [one.occurrence for one in decided],
            [one.decision.step for one in decided],
            [one.decision.moment for one in decided],
            [one.decision.speak for one in decided],
            [one.decision.reason for one in decided],
            [one.policy_version for one in decided],
            [msgspec.json.encode(one.decision.values).decode() for one in decided],
            [one.outreach_id for one in decided],
            [one.decided_at for one in decided],
        )

    async def people(self, keys: Collection[Key]) -> dict[Key, Person]:
        """Return what is known of these people; who is unknown is missing."""
        rows = await people.load(self._connection, keys)
        return {key: Person(row["status"], row["zone"]) for key, row in rows.items()}

    async def save_people(self, facts: Sequence[Fact[PersonRecordedV1]]) -> None:
        """Take over people's records where they are newer."""
        await people.save(self._connection, facts)

    async def policies(self) -> dict[str, Policy]:
        """Return every policy version that was ever in force."""
        rows = await self._connection.fetch("SELECT body FROM policies ORDER BY activated_at")
        policies = [msgspec.json.decode(row["body"], type=Policy) for row in rows]
        return {policy.version: policy for policy in policies}

    async def activate(self, policy: Policy, now: datetime) -> None:
        """Make a policy version a row; a known version stays as it was."""
        await self._connection.execute(
            "INSERT INTO policies (version, body, activated_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            policy.version,
            msgspec.json.encode(policy).decode(),
            now,
        )


def from_row(row: asyncpg.Record) -> Deadline:
    """Turn a row into the domain's deadline."""
    stamp = None
    if row["due_event_id"] is not None:
        stamp = Stamp(row["due_sequence"], row["due_occurred_at"], row["due_event_id"])
    return Deadline(
        tenant_id=row["tenant_id"],
        assignment_id=row["assignment_id"],
        person_id=row["person_id"],
        training_id=row["training_id"],
        training_title=row["training_title"],
        assigned_at=row["assigned_at"],
        due_at=row["due_at"],
        due_stamp=stamp,
        completed_at=row["completed_at"],
        withdrawn_at=row["withdrawn_at"],
        zone=row["zone"],
        next_due_at=row["next_due_at"],
        policy_version=row["policy_version"],
        titled_at=row["titled_at"],
        traceparent=row["traceparent"],
    )
