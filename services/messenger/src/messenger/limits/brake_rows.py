"""The SQL of brakes: what holds now, who said so, and its release. What they hold is in limits/held_rows.py."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from messenger.limits.braking import Brake
from messenger.sending.claims import Claims

SENDING_LOCK = 5_271_009_214
"""The advisory lock that each gate shares, and that a person's hold takes alone: no send begins after its commit."""

PURGE_COUNTS = """
    DELETE FROM send_counts WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM send_counts WHERE recorded_at < $1 LIMIT $2))
"""


class BrakeRows(Claims):
    """Brakes, inside one transaction; every decision stays as a row."""

    async def brakes(self, channel: str | None = None) -> list[Brake]:
        """Return what holds now, of one channel or of all, in a fixed order."""
        rows = await self._connection.fetch(
            """
            SELECT id, tenant_id, kind, channel, reason, held_by, held_at, holds, number, probe, released_by, free_at,
                   probed_at
              FROM sending_brakes
             WHERE released_at IS NULL AND ($1::text IS NULL OR channel IN ('', $1))
             ORDER BY id
            """,
            channel,
        )
        return [_brake(row) for row in rows]

    async def still(self, ids: Sequence[int]) -> list[Brake]:
        """Return which of these hold, and keep their release waiting until what they hold now is written."""
        rows = await self._connection.fetch(
            """
            SELECT id, tenant_id, kind, channel, reason, held_by, held_at, holds, number, probe, released_by, free_at,
                   probed_at
              FROM sending_brakes
             WHERE id = ANY($1::bigint[]) AND released_at IS NULL
             ORDER BY id
               FOR SHARE
            """,
            ids,
        )
        return [_brake(row) for row in rows]

    async def stop_gates(self) -> None:
        """Wait for the gates that are open, and keep others shut until the commit."""
        await self._connection.execute("SELECT pg_advisory_xact_lock($1)", SENDING_LOCK)

    async def hold(
        self, kind: str, tenant_id: str, channel: str, reason: str, now: datetime, by: str | None, *, holds: bool
    ) -> bool:
        """Begin to hold; one that holds already keeps its first reason. Return whether it is new."""
        return bool(
            await self._connection.fetchval(
                """
                INSERT INTO sending_brakes AS b (tenant_id, kind, channel, reason, held_by, held_at, holds)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                    ON CONFLICT (tenant_id, kind, channel) WHERE released_at IS NULL DO UPDATE
                   SET holds = b.holds OR EXCLUDED.holds
                RETURNING xmax = 0
                """,
                tenant_id,
                kind,
                channel,
                reason,
                by,
                now,
                holds,
            )
        )

    async def release(self, kind: str, tenant_id: str, channel: str, by: str, reason: str, now: datetime) -> bool:
        """Let go what a brake holds, on somebody's word; return whether there was anything to release."""
        found = await self._connection.fetchval(
            """
            WITH b AS (
                UPDATE sending_brakes SET released_at = $6, released_by = $4, release_reason = $5
                 WHERE kind = $1 AND tenant_id = $2 AND channel = $3 AND released_at IS NULL
                RETURNING tenant_id, kind, channel), forgotten AS (
                UPDATE provider_answers AS a SET recent = '' FROM b
                 WHERE b.kind = 'provider' AND a.tenant_id = b.tenant_id AND a.channel = b.channel)
            SELECT true FROM b
            """,
            kind,
            tenant_id,
            channel,
            by,
            reason,
            now,
        )
        return bool(found)

    async def claim_released(self, _now: datetime, limit: int) -> list[Brake]:
        """Claim brakes that were released and whose messages do not all have their moments yet."""
        rows = await self._connection.fetch(
            """
            SELECT id, tenant_id, kind, channel, reason, held_by, held_at, holds, number, probe, released_by, free_at,
                   probed_at
              FROM sending_brakes
             WHERE released_at IS NOT NULL AND spent_at IS NULL
             ORDER BY id
             LIMIT $1
               FOR UPDATE SKIP LOCKED
            """,
            limit,
        )
        return [_brake(row) for row in rows]

    async def freed(self, brake: Brake, free_at: datetime, *, spent: bool) -> None:
        """Note how far a released brake has let its messages go."""
        await self._connection.execute(
            """
            UPDATE sending_brakes SET free_at = $3, spent_at = CASE WHEN $4 THEN clock_timestamp() END
             WHERE tenant_id = $1 AND id = $2
            """,
            brake.tenant_id,
            brake.id,
            free_at,
            spent,
        )


def _brake(row: asyncpg.Record) -> Brake:
    return Brake(**dict(row))
