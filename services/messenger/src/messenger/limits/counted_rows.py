"""The SQL of what rules go by: a provider's last answers, its probe, and how much a tenant sends in an hour."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from messenger.limits.braking import LAST, PROBE_EVERY, WEEKS, Brake, Signs
from messenger.limits.held_rows import HeldRows


class CountedRows(HeldRows):
    """Counts that all replicas share, inside one transaction."""

    async def heard(self, channel: str, said: Mapping[str, Signs]) -> dict[str, int]:
        """Remember answers; return the errors among the last ones, of those tenants that have any."""
        rows = await self._connection.fetch(
            """
            INSERT INTO provider_answers AS a (tenant_id, channel, recent)
            SELECT t.tenant_id, $1, right(t.recent, $4)
              FROM unnest($2::text[], $3::text[]) AS t (tenant_id, recent)
             WHERE t.recent LIKE '%x%'
                OR EXISTS (SELECT FROM provider_answers AS k
                            WHERE k.tenant_id = t.tenant_id AND k.channel = $1 AND k.recent <> '')
             ORDER BY t.tenant_id
                ON CONFLICT (tenant_id, channel) DO UPDATE
               SET recent = ltrim(right(a.recent || EXCLUDED.recent, $4), '.')
            RETURNING tenant_id, length(replace(recent, '.', '')) AS errors
            """,
            channel,
            [*said],
            [one.text for one in said.values()],
            LAST,
        )
        return {row["tenant_id"]: row["errors"] for row in rows}

    async def probe(self, channel: str, now: datetime) -> None:
        """Let one held message to each provider that is held be tried, if a minute has passed since the last one."""
        await self._connection.execute(
            """
            WITH b AS MATERIALIZED (
                SELECT tenant_id, id FROM sending_brakes
                 WHERE kind = 'provider' AND released_at IS NULL AND holds AND channel = $1
                   AND coalesce(probed_at, held_at) <= $2::timestamptz - $3::interval
                 ORDER BY id
                   FOR UPDATE SKIP LOCKED), p AS MATERIALIZED (
                SELECT b.id, l.tenant_id, l.outreach_id
                  FROM b
                 CROSS JOIN LATERAL (SELECT h.tenant_id, h.outreach_id FROM ledger AS h
                                      WHERE h.state = 'held' AND h.reason = 'held_provider'
                                        AND h.tenant_id = b.tenant_id AND h.channel = $1 AND h.useful_until > $2
                                      ORDER BY h.not_before
                                      LIMIT 1
                                        FOR UPDATE SKIP LOCKED) AS l), h AS (
                UPDATE ledger AS l SET state = 'due', reason = 'probe', next_due_at = $2
                  FROM p
                 WHERE l.tenant_id = p.tenant_id AND l.outreach_id = p.outreach_id
                RETURNING l.tenant_id, l.outreach_id, l.state, l.reason, l.code, l.attempt, l.channel), n AS (
                UPDATE sending_brakes AS s SET probe = p.outreach_id, probed_at = $2
                  FROM p
                 WHERE s.tenant_id = p.tenant_id AND s.id = p.id)
            INSERT INTO ledger_history (tenant_id, outreach_id, at, state, reason, code, attempt, channel)
            SELECT tenant_id, outreach_id, $2, state, reason, code, attempt, channel FROM h
            """,
            channel,
            now,
            PROBE_EVERY,
        )

    async def count(
        self, hour: datetime, sent: Mapping[str, int], approved: Mapping[str, int]
    ) -> dict[str, tuple[int, Sequence[int]]]:
        """Count first tries of this hour; return those without a person's word, and the same hour of past weeks.

        The rows stay locked, so that two replicas cannot both be the last one under the limit. Weeks before the
        tenant's first message are not there; an hour without one since then is a zero.
        """
        rows = await self._connection.fetch(
            """
            WITH c AS (
                INSERT INTO send_counts AS s (tenant_id, hour, sent, approved)
                SELECT t.tenant_id, $1, t.sent, t.approved
                  FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS t (tenant_id, sent, approved)
                 ORDER BY t.tenant_id
                    ON CONFLICT (tenant_id, hour) DO UPDATE
                   SET sent = s.sent + EXCLUDED.sent, approved = s.approved + EXCLUDED.approved, recorded_at = now()
                RETURNING tenant_id, sent - approved AS number)
            SELECT c.tenant_id, c.number,
                   ARRAY(SELECT coalesce(p.sent, 0)
                           FROM generate_series(1, $5::int) AS w (week)
                           LEFT JOIN send_counts AS p
                             ON p.tenant_id = c.tenant_id AND p.hour = $1::timestamptz - w.week * interval '168 hours'
                          WHERE $1::timestamptz - w.week * interval '168 hours'
                                >= (SELECT min(f.hour) FROM send_counts AS f WHERE f.tenant_id = c.tenant_id)) AS past
              FROM c
            """,
            hour,
            [*sent],
            [*sent.values()],
            [approved.get(tenant, 0) for tenant in sent],
            WEEKS,
        )
        return {row["tenant_id"]: (row["number"], row["past"]) for row in rows}

    async def uncount(self, hour: datetime, excess: Mapping[str, int]) -> None:
        """Take back from the count of this hour what is held instead."""
        await self._connection.execute(
            """
            UPDATE send_counts AS s SET sent = s.sent - t.excess
              FROM unnest($2::text[], $3::bigint[]) AS t (tenant_id, excess)
             WHERE s.tenant_id = t.tenant_id AND s.hour = $1
            """,
            hour,
            [*excess],
            [*excess.values()],
        )

    async def report(self, kind: str, excess: Mapping[str, int], channel: str = "") -> None:
        """Count what brakes of this kind would have held, where they only report."""
        await self._connection.execute(
            """
            UPDATE sending_brakes AS b SET number = b.number + t.excess
              FROM unnest($2::text[], $3::bigint[]) AS t (tenant_id, excess)
             WHERE b.tenant_id = t.tenant_id AND b.kind = $1 AND b.channel = $4 AND b.released_at IS NULL
               AND NOT b.holds
            """,
            kind,
            [*excess],
            [*excess.values()],
            channel,
        )

    async def proved(self, brake: Brake, now: datetime) -> None:
        """Note that a provider works again, where its brake only reports: a probe would have been accepted."""
        await self._connection.execute(
            "UPDATE sending_brakes SET probed_at = coalesce(probed_at, $3) WHERE tenant_id = $1 AND id = $2",
            brake.tenant_id,
            brake.id,
            now,
        )
