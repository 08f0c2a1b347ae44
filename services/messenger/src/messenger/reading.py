"""The SQL of what people ask: one tenant, inside a reader's transaction under row-level security."""

from uuid import UUID

import asyncpg

from duly_chassis.database import Connection
from duly_chassis.gauges import Asked
from messenger.domain import Contact
from messenger.sending import rows

GAUGES = (
    Asked(
        "duly_oldest_due_seconds",
        "How long the oldest row has been due (business clock)",
        """
        SELECT greatest(extract(epoch FROM $1::timestamptz - min(due)), 0)::float8 AS value
          FROM (SELECT looked.due
                  FROM unnest(ARRAY['mail', 'slack', 'sms', 'teams']) AS c (channel)
                 CROSS JOIN LATERAL (SELECT min(next_due_at) AS due FROM ledger
                                      WHERE state = 'due' AND ledger.channel = c.channel
                                      UNION ALL
                                     SELECT min(next_due_at) FROM ledger
                                      WHERE state = 'in_doubt' AND ledger.channel = c.channel) AS looked
                 UNION ALL
                SELECT min(next_due_at) FROM ledger WHERE state = 'sent' AND next_due_at IS NOT NULL) AS waiting
        """,
    ),
    Asked(
        "duly_oldest_in_doubt_seconds",
        "For how long the oldest message has been in doubt (business clock)",
        """
        SELECT coalesce(max(extract(epoch FROM $1::timestamptz - since.at)), 0)::float8 AS value
          FROM (SELECT tenant_id, outreach_id FROM ledger WHERE state = 'in_doubt' ORDER BY next_due_at LIMIT 1) AS l
         CROSS JOIN LATERAL (SELECT h.at FROM ledger_history AS h
                              WHERE h.tenant_id = l.tenant_id AND h.outreach_id = l.outreach_id
                                AND h.state = 'in_doubt'
                              ORDER BY h.id DESC LIMIT 1) AS since
        """,
    ),
    Asked(
        "duly_parked_messages",
        "Messages that wait for a person's word; counted up to 10,000",
        "SELECT count(*)::float8 AS value FROM (SELECT FROM ledger WHERE state = 'parked' LIMIT 10000) AS parked",
    ),
    Asked(
        "duly_held_messages",
        "Messages that a brake holds, by its kind; counted up to 10,000",
        """
        SELECT reason, count(*)::float8 AS value
          FROM (SELECT reason FROM ledger WHERE state = 'held' LIMIT 10000) AS held GROUP BY reason
        """,
        ("reason",),
    ),
    Asked(
        "duly_sending_held_seconds",
        "For how long a brake has held sends, the longest of its kind (business clock)",
        """
        SELECT kind AS brake, greatest(max(extract(epoch FROM $1::timestamptz - held_at)), 0)::float8 AS value
          FROM sending_brakes WHERE released_at IS NULL AND holds GROUP BY kind
        """,
        ("brake",),
    ),
    Asked(
        "duly_untestable_blocks_records",
        "Blocked numbers whose key is not set here any more, so that they forbid nothing",
        """
        SELECT count(*)::float8 AS value
          FROM blocks AS b
         WHERE b.blocked AND NOT EXISTS (SELECT FROM block_keys AS k WHERE k.key_mark = b.key_mark)
        """,
    ),
    Asked(
        "duly_unplaced_reports_records",
        "Reports of providers about messages that nobody knows; counted up to 10,000",
        "SELECT count(*)::float8 AS value FROM (SELECT FROM reports WHERE NOT known LIMIT 10000) AS odd",
    ),
)
"""For all tenants together: the workers ask, not a reader."""


async def story(connection: Connection, tenant_id: str, person_id: str, about: str) -> list[asyncpg.Record]:
    """Return a person's messages about one thing, each with its history; for a reader."""
    return await connection.fetch(
        """
        SELECT l.outreach_id, l.channel, l.message, l.step, l.state, l.reason, l.code, l.attempt, l.wording,
               l.not_before, l.useful_until, l.next_due_at, l.provider_id, l.policy_version, l.requested_at,
               l.tenant_id, l.traceparent, l.plan, l.plan_version, l.urgency, l.why,
               (SELECT json_agg(json_build_object('at', h.at, 'state', h.state, 'reason', h.reason, 'code', h.code,
                                                  'attempt', h.attempt, 'who', h.who, 'channel', h.channel)
                                ORDER BY h.id)
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


async def concerned(connection: Connection, tenant_id: str, outreach_id: UUID) -> asyncpg.Record | None:
    """Return whom one message is to and what it is about, if this tenant has it; for a reader."""
    return await connection.fetchrow(
        "SELECT person_id, about FROM ledger WHERE tenant_id = $1 AND outreach_id = $2", tenant_id, outreach_id
    )


async def parked_list(connection: Connection, tenant_id: str, limit: int) -> list[asyncpg.Record]:
    """Return this tenant's parked messages, with the evidence there is; for a reader."""
    return await connection.fetch(
        """
        SELECT l.outreach_id, l.person_id, l.channel, c.mail, c.mobile, l.address, l.about, l.message, l.step, l.reason,
               l.code, l.attempt, l.requested_at, l.first_posted_at,
               (SELECT json_agg(json_build_object('at', h.at, 'state', h.state, 'reason', h.reason, 'code', h.code,
                                                  'attempt', h.attempt) ORDER BY h.id)
                  FROM ledger_history AS h
                 WHERE h.tenant_id = l.tenant_id AND h.outreach_id = l.outreach_id AND h.attempt = l.attempt
                   AND h.channel = l.channel AND h.state IN ('posting', 'in_doubt', 'parked')) AS evidence
          FROM ledger AS l
          LEFT JOIN contacts AS c ON c.tenant_id = l.tenant_id AND c.person_id = l.person_id
         WHERE l.tenant_id = $1 AND l.state = 'parked'
         ORDER BY l.requested_at, l.outreach_id
         LIMIT $2
        """,
        tenant_id,
        limit,
    )


async def contact(connection: Connection, tenant_id: str, person_id: str) -> Contact | None:
    """Return how a person is reached; for a reader."""
    row = await connection.fetchrow(
        """
        SELECT tenant_id, person_id, status, name, mail, mobile, zone, locale, dead_digest
          FROM contacts
         WHERE tenant_id = $1 AND person_id = $2
        """,
        tenant_id,
        person_id,
    )
    return None if row is None else rows.contact(row)


async def counts(connection: Connection, tenant_id: str) -> list[asyncpg.Record]:
    """Count this tenant's messages by what became of them; for a reader."""
    return await connection.fetch(
        """
        SELECT message, step, channel, state, reason, count(*) AS number
          FROM ledger
         WHERE tenant_id = $1
         GROUP BY message, step, channel, state, reason
         ORDER BY message, step, channel, state, reason
        """,
        tenant_id,
    )


async def brakes(connection: Connection, tenant_id: str) -> list[asyncpg.Record]:
    """Return this tenant's brakes, and those that only report also when they are over; for a reader.

    A brake for everybody is no tenant's.
    """
    return await connection.fetch(
        """
        SELECT tenant_id, kind, channel, reason, held_at, holds, number, released_at FROM sending_brakes
         WHERE tenant_id = $1 AND (released_at IS NULL OR NOT holds) ORDER BY id
        """,
        tenant_id,
    )


async def paced(connection: Connection, tenant_id: str) -> list[asyncpg.Record]:
    """Count this tenant's messages that waited for a provider's pace, or in a rehearsal would have; for a reader."""
    return await connection.fetch(
        """
        SELECT channel, sum(paced)::bigint AS number FROM pacing
         WHERE tenant_id = $1 AND paced > 0
         GROUP BY channel ORDER BY channel
        """,
        tenant_id,
    )


async def dead(connection: Connection, tenant_id: str, limit: int) -> list[asyncpg.Record]:
    """Return this tenant's people of whom an address was declared dead, if it is the one they have or not."""
    return await connection.fetch(
        """
        SELECT tenant_id, person_id, mail, dead_digest, dead_code AS code, dead_at AS since,
               dead_outreach AS outreach_id
          FROM contacts
         WHERE tenant_id = $1 AND dead_digest IS NOT NULL
         ORDER BY person_id
         LIMIT $2
        """,
        tenant_id,
        limit,
    )


async def odd_bounces(connection: Connection, tenant_id: str, limit: int) -> list[asyncpg.Record]:
    """Return this tenant's bounces that nobody could read, or whose message is not known, the newest first."""
    return await connection.fetch(
        """
        SELECT b.outreach_id, l.person_id, b.attempt, b.kind, b.code, b.known, b.at
          FROM bounces AS b
          LEFT JOIN ledger AS l ON l.tenant_id = b.tenant_id AND l.outreach_id = b.outreach_id
         WHERE b.tenant_id = $1 AND (b.kind = 'unreadable' OR NOT b.known)
         ORDER BY b.at DESC, b.outreach_id
         LIMIT $2
        """,
        tenant_id,
        limit,
    )


async def blocks(connection: Connection, tenant_id: str, limit: int) -> list[asyncpg.Record]:
    """Return this tenant's blocked numbers, by digest, the newest first; for a reader."""
    return await connection.fetch(
        """
        SELECT number_digest, since, word_class, who, why
          FROM blocks
         WHERE tenant_id = $1 AND blocked
         ORDER BY since DESC, number_digest
         LIMIT $2
        """,
        tenant_id,
        limit,
    )


async def odd_reports(connection: Connection, tenant_id: str, limit: int) -> list[asyncpg.Record]:
    """Return reports about messages that this tenant has not, the newest first; for a reader."""
    return await connection.fetch(
        """
        SELECT outreach_id, provider_id, status, code, at
          FROM reports
         WHERE tenant_id = $1 AND NOT known
         ORDER BY at DESC, outreach_id
         LIMIT $2
        """,
        tenant_id,
        limit,
    )
