"""The SQL of what people ask: one tenant, inside a reader's transaction under row-level security."""

import asyncpg

from duly_chassis.database import Connection
from duly_chassis.gauges import Asked
from reminders.deadline import Deadline
from reminders.store import from_row

GAUGES = (
    Asked(
        "duly_oldest_due_seconds",
        "How long the oldest row has been due (business clock)",
        "SELECT greatest(extract(epoch FROM $1::timestamptz - min(next_due_at)), 0)::float8 AS value FROM deadlines",
    ),
)


async def story(
    connection: Connection, tenant_id: str, person_id: str, assignment_id: str
) -> tuple[Deadline | None, list[asyncpg.Record]]:
    """Return one person's assignment and its decisions, oldest first; for a reader."""
    row = await connection.fetchrow(
        "SELECT * FROM deadlines WHERE tenant_id = $1 AND person_id = $2 AND assignment_id = $3",
        tenant_id,
        person_id,
        assignment_id,
    )
    if row is None:
        return None, []
    decisions = await connection.fetch(
        """
        SELECT step, occurrence, moment, requested, reason, policy_version, "values", outreach_id, decided_at
          FROM decisions
         WHERE tenant_id = $1 AND assignment_id = $2
         ORDER BY moment, step
        """,
        tenant_id,
        assignment_id,
    )
    return from_row(row), decisions


async def assignments(connection: Connection, tenant_id: str) -> int:
    """Count this tenant's assignments; for a reader."""
    query = "SELECT count(*) FROM deadlines WHERE tenant_id = $1 AND assigned_at IS NOT NULL"
    return int(await connection.fetchval(query, tenant_id))


async def counts(connection: Connection, tenant_id: str) -> list[asyncpg.Record]:
    """Count this tenant's decisions; for a reader."""
    return await connection.fetch(
        """
        SELECT step, requested, reason, count(*) AS number
          FROM decisions
         WHERE tenant_id = $1
         GROUP BY step, requested, reason
         ORDER BY step, requested, reason
        """,
        tenant_id,
    )
