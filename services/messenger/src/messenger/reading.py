"""The SQL of what people ask: one tenant, inside a reader's transaction under row-level security."""

import asyncpg

from duly_chassis.database import Connection


async def story(connection: Connection, tenant_id: str, person_id: str, about: str) -> list[asyncpg.Record]:
    """Return a person's messages about one thing, each with its history; for a reader."""
    return await connection.fetch(
        """
        SELECT l.outreach_id, l.channel, l.message, l.step, l.state, l.reason, l.code, l.attempt, l.wording,
               l.not_before, l.useful_until, l.next_due_at, l.provider_id, l.policy_version, l.requested_at,
               (SELECT json_agg(json_build_object('at', h.at, 'state', h.state, 'reason', h.reason, 'code', h.code,
                                                  'attempt', h.attempt, 'who', h.who) ORDER BY h.id)
                  FROM ledger_history AS h
                 WHERE h.tenant_id = l.tenant_id AND h.outreach_id = l.outreach_id) AS history
          FROM ledger AS l
         WHERE l.tenant_id = $1 AND l.person_id = $2 AND l.about = $3
         ORDER BY l.requested_at, l.step
        """,
        tenant_id,
        person_id,
        about,
    )


async def parked_list(connection: Connection, tenant_id: str, limit: int) -> list[asyncpg.Record]:
    """Return this tenant's parked messages, with the evidence there is; for a reader."""
    return await connection.fetch(
        """
        SELECT l.outreach_id, l.person_id, c.mail, l.about, l.message, l.step, l.reason, l.code, l.attempt,
               l.requested_at
          FROM ledger AS l
          LEFT JOIN contacts AS c ON c.tenant_id = l.tenant_id AND c.person_id = l.person_id
         WHERE l.tenant_id = $1 AND l.state = 'parked'
         ORDER BY l.requested_at, l.outreach_id
         LIMIT $2
        """,
        tenant_id,
        limit,
    )


async def counts(connection: Connection, tenant_id: str) -> list[asyncpg.Record]:
    """Count this tenant's messages by what became of them; for a reader."""
    return await connection.fetch(
        """
        SELECT message, step, state, reason, count(*) AS number
          FROM ledger
         WHERE tenant_id = $1
         GROUP BY message, step, state, reason
         ORDER BY message, step, state, reason
        """,
        tenant_id,
    )
