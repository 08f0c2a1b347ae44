"""The ledger's SQL of claiming: which rows somebody takes in hand now, so that nobody else does."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from duly_chassis.work import Work
from messenger.domain import Contact, Outreach, Stops
from messenger.sending.rows import FACTS, contact, outreach

Claimed = tuple[Outreach, Contact | None, Stops]
"""A row with its recipient and what ended it."""


class Claims(Work):
    """Rows locked for one transaction, or leased for longer; every query says in one sentence what it is for."""

    async def claim(self, channel: str, now: datetime, limit: int) -> list[Claimed]:
        """Claim messages of one channel whose moment has come, each with what is beside it; others pass over them."""
        rows = await self._connection.fetch(
            """
            SELECT * FROM ledger
             WHERE state = 'due' AND channel = $1 AND next_due_at <= $2
             ORDER BY next_due_at
             LIMIT $3
               FOR UPDATE SKIP LOCKED
            """,
            channel,
            now,
            limit,
        )
        return await self._beside(rows)

    async def claim_elsewhere(self, now: datetime, limit: int, *, channels: Sequence[str]) -> list[Claimed]:
        """Claim messages that are due on channels which this process has not."""
        rows = await self._connection.fetch(
            """
            SELECT * FROM ledger
             WHERE state = 'due' AND channel = ANY($1::text[]) AND next_due_at <= $2
             ORDER BY next_due_at
             LIMIT $3
               FOR UPDATE SKIP LOCKED
            """,
            channels,
            now,
            limit,
        )
        return await self._beside(rows)

    async def claim_unanswered(self, now: datetime, limit: int) -> list[Claimed]:
        """Claim messages that were sent a while ago and have another channel still ahead of them."""
        rows = await self._connection.fetch(
            """
            SELECT * FROM ledger
             WHERE state = 'sent' AND next_due_at <= $1
             ORDER BY next_due_at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
            """,
            now,
            limit,
        )
        return await self._beside(rows)

    async def _beside(self, rows: Sequence[asyncpg.Record]) -> list[Claimed]:
        """Read what is beside rows that are locked.

        A statement of its own: a contact that commits between the locking one's snapshot and its lock would be missed
        by the claim while its handler finds nothing to wake.
        """
        if not rows:
            return []
        beside = await self._connection.fetch(
            """
            SELECT t.tenant_id, t.person_id, c.status, c.name, c.mail, c.mobile, c.zone, c.locale, c.dead_digest,
                   coalesce(a.facts, '{}') || coalesce(w.facts, '{}') AS stop_facts
              FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[])
                   WITH ORDINALITY AS t (tenant_id, person_id, about, outreach_id, place)
              LEFT JOIN contacts AS c ON c.tenant_id = t.tenant_id AND c.person_id = t.person_id
              LEFT JOIN stops AS a ON a.tenant_id = t.tenant_id AND a.about = t.about
              LEFT JOIN stops AS w ON w.tenant_id = t.tenant_id AND w.about = t.outreach_id::text
             ORDER BY t.place
            """,
            [row["tenant_id"] for row in rows],
            [row["person_id"] for row in rows],
            [row["about"] for row in rows],
            [row["outreach_id"] for row in rows],
        )
        return [
            (outreach(row), contact(near), FACTS.decode(near["stop_facts"]))
            for row, near in zip(rows, beside, strict=True)
        ]

    async def claim_in_doubt(self, now: datetime, limit: int, *, channels: Sequence[str]) -> list[Outreach]:
        """Claim messages in doubt that have waited long enough, on channels whose provider nobody here can ask."""
        rows = await self._connection.fetch(
            """
            SELECT * FROM ledger
             WHERE state = 'in_doubt' AND channel = ANY($1::text[]) AND next_due_at <= $2
             ORDER BY next_due_at
             LIMIT $3
               FOR UPDATE SKIP LOCKED
            """,
            channels,
            now,
            limit,
        )
        return [outreach(row) for row in rows]

    async def claim_to_ask(
        self, channel: str, now: datetime, limit: int, asking: UUID, lease: timedelta, *, obeys: bool = True
    ) -> list[Outreach]:
        """Lease messages in doubt of one channel to whoever asks its provider (machine clock); the state stays.

        Who `obeys` does not ask about what the provider wants us to wait with.
        """
        rows = await self._connection.fetch(
            """
            WITH t AS MATERIALIZED (  -- looked for once, whatever the planner thinks of a join
                SELECT d.tenant_id, d.outreach_id FROM ledger AS d
                 WHERE d.state = 'in_doubt' AND d.channel = $1 AND d.next_due_at <= $2
                   AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())
                   AND NOT ($6 AND EXISTS (SELECT FROM pacing AS p
                                            WHERE p.tenant_id = d.tenant_id AND p.channel = $1
                                              AND p.scope IN ('', d.person_id) AND p.blocked_until > $2))
                 ORDER BY d.next_due_at
                 LIMIT $3
                   FOR UPDATE OF d SKIP LOCKED)
            UPDATE ledger AS l
               SET asking = $4, lease_until = clock_timestamp() + $5
              FROM t
             WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
            RETURNING l.*
            """,
            channel,
            now,
            limit,
            asking,
            lease,
            obeys,
        )
        return [outreach(row) for row in rows]

    async def renew_asked(self, rows: Sequence[Outreach], asking: UUID, lease: timedelta) -> None:
        """Show that whoever asks for these messages lives (machine clock)."""
        await self._connection.execute(
            """
            UPDATE ledger AS l
               SET lease_until = clock_timestamp() + $4
              FROM unnest($1::text[], $2::uuid[]) AS t (tenant_id, outreach_id)
             WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
               AND l.asking = $3 AND l.state = 'in_doubt'
            """,
            [row.tenant_id for row in rows],
            [row.outreach_id for row in rows],
            asking,
            lease,
        )

    async def claim_lapsed(self, limit: int) -> list[Outreach]:
        """Claim messages on their way whose sender shows no sign of life any more (machine clock)."""
        rows = await self._connection.fetch(
            """
            SELECT * FROM ledger
             WHERE state = 'posting' AND lease_until < clock_timestamp()
             ORDER BY lease_until
             LIMIT $1
               FOR UPDATE SKIP LOCKED
            """,
            limit,
        )
        return [outreach(row) for row in rows]
