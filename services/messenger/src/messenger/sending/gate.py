"""The gate's SQL: everything that could forbid a send, locked while the bodies are written (RELIABILITY 6.3)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from duly_chassis.database import Connection
from messenger.domain import Contact, Outreach, Stops
from messenger.sending.rows import FACTS, contact, outreach


async def locked(
    connection: Connection, token: UUID, outreach_ids: Sequence[UUID]
) -> list[tuple[Outreach, Contact | None, Stops]]:
    """Lock, shared, everything that could forbid these sends, and return it as it is now.

    SKIP LOCKED: a row that a stop is just changing is not allowed instead of waited for, so that gate and stop
    can never wait for each other. Nothing is returned whose lease is not ours any more. The database ends a gate
    that idles for 2 s, so that a paused process cannot block stops.
    """
    # Nothing is written but locks, so there is nothing to wait for the disk for. Every gate shares the last lock, which
    # a person's hold takes alone (SENDING_LOCK); what a hold wrote is seen by the statement after this one.
    await connection.execute(
        """
        SET LOCAL idle_in_transaction_session_timeout = '2s';
        SET LOCAL synchronous_commit = off;
        SELECT pg_advisory_xact_lock_shared(5271009214)
        """
    )
    rows = await connection.fetch(
        """
        SELECT l.*, c.status, c.name, c.mail, c.mobile, c.zone, c.locale, c.dead_digest, a.facts AS stop_facts
          FROM (SELECT * FROM ledger
                 WHERE state = 'posting' AND lease_token = $1 AND lease_until > clock_timestamp()
                   AND outreach_id = ANY($2::uuid[])
                   FOR SHARE SKIP LOCKED) AS l
         CROSS JOIN LATERAL (SELECT status, name, mail, mobile, zone, locale, dead_digest
                               FROM contacts AS p
                              WHERE p.tenant_id = l.tenant_id AND p.person_id = l.person_id
                                FOR SHARE SKIP LOCKED) AS c
         CROSS JOIN LATERAL (SELECT facts
                               FROM stops AS s
                              WHERE s.tenant_id = l.tenant_id AND s.about = l.about
                                FOR SHARE SKIP LOCKED) AS a
         WHERE NOT EXISTS (SELECT FROM sending_brakes AS b
                            WHERE b.released_at IS NULL AND b.holds AND b.kind <> 'send_rate'
                              AND b.tenant_id IN (l.tenant_id, '*') AND b.channel IN ('', l.channel)
                              AND b.probe IS DISTINCT FROM l.outreach_id)
        """,
        token,
        outreach_ids,
    )
    taken_back = await _taken_back(connection, rows)
    return [
        (
            outreach(row),
            contact(row),
            FACTS.decode(row["stop_facts"]) | taken_back.get((row["tenant_id"], row["outreach_id"]), {}),
        )
        for row in rows
    ]


async def _taken_back(
    connection: Connection, rows: Sequence[asyncpg.Record]
) -> dict[tuple[str, UUID], dict[str, datetime]]:
    """Return what took these messages themselves back, read after their rows were locked.

    In the locking statement it would be read with that statement's snapshot, and one that committed between
    snapshot and lock would be missed. Who takes a message back touches its row, so now none can commit.
    """
    found = await connection.fetch(
        """
        SELECT w.tenant_id, t.outreach_id, w.facts
          FROM unnest($1::text[], $2::uuid[]) AS t (tenant_id, outreach_id)
          JOIN stops AS w ON w.tenant_id = t.tenant_id AND w.about = t.outreach_id::text
        """,
        [row["tenant_id"] for row in rows],
        [row["outreach_id"] for row in rows],
    )
    return {(row["tenant_id"], row["outreach_id"]): FACTS.decode(row["facts"]) for row in found}
