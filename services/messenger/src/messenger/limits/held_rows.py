"""The SQL of what brakes hold: rows that are neither due nor over, until a release, a stop or their uselessness."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from messenger.domain import Outreach
from messenger.limits.brake_rows import BrakeRows
from messenger.limits.braking import Brake, held_reason
from messenger.sending.claims import Claimed

HOLD_MAX = 10_000
"""So many due messages of held tenants are held at once."""

FREE_MAX = 1_000
"""So many held messages of a released brake get their moments at once."""


class HeldRows(BrakeRows):
    """Held messages, inside one transaction."""

    async def hold_due(self, channel: str, brakes: Mapping[str, Brake], now: datetime) -> None:
        """Hold what is due of these tenants on a channel, at once, so that no later claim meets it.

        A held message is looked at when its usefulness ends; one with another channel ahead of it at once, for its
        policy may turn there. Over the usual rate are only messages that were not tried yet.
        """
        await self._connection.execute(
            """
            WITH t AS MATERIALIZED (
                SELECT l.tenant_id, l.outreach_id, 'held_' || b.kind AS reason, b.id
                  FROM unnest($3::text[], $4::text[], $5::bigint[], $6::uuid[]) AS b (tenant_id, kind, id, probe)
                  JOIN ledger AS l ON l.tenant_id = b.tenant_id
                 WHERE l.state = 'due' AND l.channel = $1 AND l.next_due_at <= $2
                   AND l.outreach_id IS DISTINCT FROM b.probe
                   AND (b.kind <> 'send_rate' OR (NOT l.approved AND l.attempt = l.attempts_before))
                 LIMIT $7
                   FOR UPDATE OF l SKIP LOCKED), h AS (
                UPDATE ledger AS l
                   SET state = 'held', reason = t.reason,
                       next_due_at = CASE WHEN l.plan <> '[]' AND t.reason = 'held_provider' THEN $2::timestamptz
                                          ELSE l.useful_until END
                  FROM t
                 WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
                RETURNING l.tenant_id, l.outreach_id, l.state, l.reason, l.code, l.attempt, l.channel, t.id), n AS (
                UPDATE sending_brakes AS b SET number = b.number + c.number
                  FROM (SELECT id, count(*) AS number FROM h GROUP BY id) AS c
                 WHERE b.id = c.id)
            INSERT INTO ledger_history (tenant_id, outreach_id, at, state, reason, code, attempt, channel)
            SELECT tenant_id, outreach_id, $2, state, reason, code, attempt, channel FROM h
            """,
            channel,
            now,
            [*brakes],
            [one.kind for one in brakes.values()],
            [one.id for one in brakes.values()],
            [one.probe for one in brakes.values()],
            HOLD_MAX,
        )

    async def claim_held(self, now: datetime, limit: int) -> list[Claimed]:
        """Claim held messages that something has happened to, or whose usefulness has ended."""
        rows = await self._connection.fetch(
            """
            SELECT * FROM ledger
             WHERE state = 'held' AND next_due_at <= $1
             ORDER BY next_due_at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
            """,
            now,
            limit,
        )
        return await self._beside(rows)

    async def stay_held(self, rows: Sequence[Outreach], until: Sequence[datetime]) -> None:
        """Look at these held messages again at these moments; nothing else has changed."""
        await self._connection.execute(
            """
            UPDATE ledger AS l SET next_due_at = t.next_due_at
              FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS t (tenant_id, outreach_id, next_due_at)
             WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id AND l.state = 'held'
            """,
            [row.tenant_id for row in rows],
            [row.outreach_id for row in rows],
            until,
        )

    async def let_go(self, brake: Brake, begin: datetime, interval: timedelta, now: datetime) -> int:
        """Make messages of a released brake due, the oldest first, one interval apart; return how many.

        No SKIP LOCKED: whoever has one in hand is waited for, or it would be held for ever.
        """
        rows = await self._connection.fetch(
            """
            WITH t AS MATERIALIZED (
                SELECT tenant_id, outreach_id, not_before FROM ledger
                 WHERE state = 'held' AND reason = $1
                   AND ($2 = '*' OR tenant_id = $2) AND ($3 = '' OR channel = $3)
                 ORDER BY not_before, tenant_id, outreach_id
                 LIMIT $4
                   FOR UPDATE), s AS (
                SELECT tenant_id, outreach_id, row_number() OVER (ORDER BY not_before, outreach_id) AS place
                  FROM t), h AS (
                UPDATE ledger AS l
                   SET state = 'due', reason = 'released', approved = l.approved OR $1 = 'held_send_rate',
                       next_due_at = $5::timestamptz + $6::interval * (s.place - 1)
                  FROM s
                 WHERE l.tenant_id = s.tenant_id AND l.outreach_id = s.outreach_id
                RETURNING l.tenant_id, l.outreach_id, l.state, l.reason, l.code, l.attempt, l.channel)
            INSERT INTO ledger_history (tenant_id, outreach_id, at, state, reason, code, attempt, channel, who)
            SELECT tenant_id, outreach_id, $7, state, reason, code, attempt, channel, $8 FROM h
            RETURNING 1
            """,
            held_reason(brake.kind),
            brake.tenant_id,
            brake.channel,
            FREE_MAX,
            begin,
            interval,
            now,
            brake.released_by,
        )
        return len(rows)
