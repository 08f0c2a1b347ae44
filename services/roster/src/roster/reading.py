"""The SQL of what people ask: one tenant, inside a reader's transaction under row-level security."""

import asyncpg

from duly_chassis.database import Connection
from duly_chassis.gauges import Asked

GAUGES = (
    Asked(
        "duly_oldest_due_seconds",
        "How long the oldest row has been due (business clock)",
        "SELECT greatest(extract(epoch FROM $1::timestamptz - min(next_due_at)), 0)::float8 AS value FROM runs",
    ),
    Asked(
        "duly_roster_held_seconds",
        "For how long the oldest held run has waited for a person's word (business clock); 0: none is held",
        """
        SELECT coalesce(extract(epoch FROM $1::timestamptz - min(planned_at)), 0)::float8 AS value
          FROM (SELECT planned_at FROM runs WHERE next_due_at IS NOT NULL ORDER BY next_due_at LIMIT 1) AS oldest
        """,
    ),
)
"""For all tenants together: the workers ask, not a reader."""


async def runs(connection: Connection, tenant_id: str, limit: int) -> list[asyncpg.Record]:
    """Return this tenant's last runs, newest first; for a reader."""
    return await connection.fetch(
        """
        SELECT run, state, file_name, complete, rows, good_rows, refused, unchanged, counts, planned_at, next_due_at
          FROM runs
         WHERE tenant_id = $1
         ORDER BY run DESC
         LIMIT $2
        """,
        tenant_id,
        limit,
    )


async def run(connection: Connection, tenant_id: str, number: int) -> asyncpg.Record | None:
    """Return one run; for a reader."""
    return await connection.fetchrow(
        """
        SELECT run, state, file_name, digest, complete, rows, good_rows, refused, unchanged, counts, brakes, refusals,
               findings, found, base_run, planned_at, next_due_at
          FROM runs
         WHERE tenant_id = $1 AND run = $2
        """,
        tenant_id,
        number,
    )


async def changes(connection: Connection, tenant_id: str, number: int, limit: int) -> list[asyncpg.Record]:
    """Return what a run did, or would do, to whom; for a reader."""
    return await connection.fetch(
        """
        SELECT person_id, kind, fields
          FROM changes
         WHERE tenant_id = $1 AND run = $2
         ORDER BY person_id
         LIMIT $3
        """,
        tenant_id,
        number,
        limit,
    )


async def decisions(connection: Connection, tenant_id: str, number: int) -> list[asyncpg.Record]:
    """Return who decided what about a run, in order; for a reader."""
    return await connection.fetch(
        """
        SELECT decision, who, why, decided_at
          FROM decisions
         WHERE tenant_id = $1 AND run = $2
         ORDER BY id
        """,
        tenant_id,
        number,
    )


async def person(connection: Connection, tenant_id: str, person_id: str) -> asyncpg.Record | None:
    """Return a person's record without its personal part, and the run that changed it last; for a reader."""
    return await connection.fetchrow(
        """
        SELECT p.status, p.since, p.zone, p.locale, p.manager_id, p.department, p.team, p.role, p.location, p.hired_on,
               p.left_on, p.version, p.run, p.occurred_at AS changed_at, r.file_name
          FROM people AS p
          LEFT JOIN runs AS r ON r.tenant_id = p.tenant_id AND r.run = p.run
         WHERE p.tenant_id = $1 AND p.person_id = $2
        """,
        tenant_id,
        person_id,
    )


async def history(connection: Connection, tenant_id: str, person_id: str, limit: int) -> list[asyncpg.Record]:
    """Return which runs in force changed a person, newest first; for a reader."""
    return await connection.fetch(
        """
        SELECT c.run, c.kind, c.fields, c.version, r.planned_at
          FROM changes AS c
          JOIN runs AS r ON r.tenant_id = c.tenant_id AND r.run = c.run
         WHERE c.tenant_id = $1 AND c.person_id = $2 AND r.state IN ('applied', 'released')
         ORDER BY c.run DESC
         LIMIT $3
        """,
        tenant_id,
        person_id,
        limit,
    )


async def counts(connection: Connection, tenant_id: str) -> list[asyncpg.Record]:
    """Count this tenant's people by status; for a reader."""
    return await connection.fetch(
        "SELECT status, count(*) AS number FROM people WHERE tenant_id = $1 GROUP BY status ORDER BY status",
        tenant_id,
    )


async def held(connection: Connection, tenant_id: str) -> list[int]:
    """Return the numbers of this tenant's held runs; for a reader."""
    rows = await connection.fetch(
        "SELECT run FROM runs WHERE tenant_id = $1 AND state = 'held' ORDER BY run", tenant_id
    )
    return [row["run"] for row in rows]
