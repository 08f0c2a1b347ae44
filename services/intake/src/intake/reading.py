"""The SQL of what people ask: one tenant, inside a reader's transaction under row-level security."""

from uuid import UUID

import asyncpg

from duly_chassis.database import Connection
from duly_chassis.gauges import Asked

GAUGES = (
    Asked(
        "duly_oldest_due_seconds",
        "How long the oldest row has been due (business clock)",
        "SELECT greatest(extract(epoch FROM $1::timestamptz - min(next_due_at)), 0)::float8 AS value FROM starts",
    ),
    Asked(
        "duly_unread_texts_seconds",
        "For how long the oldest text that a person should read has waited (business clock); 0: none waits",
        """
        SELECT greatest(coalesce(extract(epoch FROM $1::timestamptz - min(at)), 0), 0)::float8 AS value FROM reviews
        """,
    ),
)
"""For all tenants together: the workers ask, not a reader."""


async def reviews(connection: Connection, tenant_id: str, limit: int) -> list[asyncpg.Record]:
    """Return the texts that a person should read, the oldest first; for a reader."""
    return await connection.fetch(
        """
        SELECT key, number_digest, word_class, words, at
          FROM reviews
         WHERE tenant_id = $1
         ORDER BY at, key
         LIMIT $2
        """,
        tenant_id,
        limit,
    )


async def starts(connection: Connection, tenant_id: str, limit: int) -> list[asyncpg.Record]:
    """Return the STARTs that wait for this tenant's word, the oldest first; for a reader."""
    return await connection.fetch(
        """
        SELECT number_digest, at, next_due_at
          FROM starts
         WHERE tenant_id = $1
         ORDER BY at, number_digest
         LIMIT $2
        """,
        tenant_id,
        limit,
    )


async def reports(connection: Connection, tenant_id: str, outreach_id: UUID, limit: int) -> list[asyncpg.Record]:
    """Return what a provider reported of one outreach, in the order in which it came; for a reader."""
    return await connection.fetch(
        """
        SELECT key, said, code, at
          FROM callbacks
         WHERE tenant_id = $1 AND outreach_id = $2
         ORDER BY recorded_at, key
         LIMIT $3
        """,
        tenant_id,
        outreach_id,
        limit,
    )


async def counts(connection: Connection, tenant_id: str) -> list[asyncpg.Record]:
    """Count what came in for this tenant; for a reader."""
    return await connection.fetch(
        """
        SELECT edge, said, count(*) AS number
          FROM callbacks
         WHERE tenant_id = $1
         GROUP BY edge, said
         ORDER BY edge, said
        """,
        tenant_id,
    )
