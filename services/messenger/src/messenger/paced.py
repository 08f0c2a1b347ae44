"""The SQL of pacing: when each provider may be used again, for all replicas, and the moments of what waits."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from messenger.domain import Change
from messenger.ledger import Ledger
from messenger.pacing import SPREAD_MAX, Allotted, Held, Key, Pace, allot


class Paced(Ledger):
    """The ledger, with the pace of its providers, inside one transaction."""

    async def allotted(self, channel: str, changes: Sequence[Change], pace: Pace, now: datetime) -> Allotted:
        """Decide which of these messages may go now, and give the others their moments; the caller posts the rest."""
        scopes = sorted({pace.scope(change) for change in changes})
        found = allot(changes, await self._held(channel, scopes), pace, now)
        tenants = [tenant for tenant, _ in found.free_at]
        await self._connection.execute(
            """
            UPDATE pacing AS p
               SET free_at = t.free_at, paced = p.paced + t.paced, recorded_at = now()
              FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[])
                   AS t (tenant_id, scope, free_at, paced)
             WHERE p.tenant_id = t.tenant_id AND p.channel = $1 AND p.scope = t.scope
            """,
            channel,
            tenants,
            [scope for _, scope in found.free_at],
            [*found.free_at.values()],
            [found.paced.get(key, 0) for key in found.free_at],
        )
        behind = {pace.scope(change): found.free_at[pace.scope(change)] for change in found.waiting}
        if behind:
            going = [change.outreach.outreach_id for change in found.going]
            await (self._spread_people if pace.by_person else self._spread_accounts)(channel, behind, pace, going, now)
        return found

    async def _held(self, channel: str, scopes: Sequence[Key]) -> dict[Key, Held]:
        """Make sure these scopes are known, lock them in order, and return them with their accounts."""
        tenants, names = [tenant for tenant, _ in scopes], [scope for _, scope in scopes]
        await self._connection.execute(
            """
            INSERT INTO pacing (tenant_id, channel, scope) SELECT t.tenant_id, $1, t.scope
              FROM unnest($2::text[], $3::text[]) AS t (tenant_id, scope)
                ON CONFLICT DO NOTHING
            """,
            channel,
            tenants,
            names,
        )
        rows = await self._connection.fetch(
            """
            SELECT p.tenant_id, p.scope, p.free_at, p.blocked_until
              FROM pacing AS p
              JOIN unnest($2::text[], $3::text[]) AS t (tenant_id, scope)
                ON p.tenant_id = t.tenant_id AND p.scope = t.scope
             WHERE p.channel = $1
             ORDER BY p.tenant_id, p.scope
               FOR UPDATE OF p
            """,
            channel,
            tenants,
            names,
        )
        accounts = await self._connection.fetch(
            """
            SELECT tenant_id, scope, free_at, blocked_until FROM pacing
             WHERE tenant_id = ANY($2::text[]) AND channel = $1 AND scope = ''
            """,
            channel,
            tenants,
        )
        return {
            (row["tenant_id"], row["scope"]): Held(row["free_at"], row["blocked_until"]) for row in (*accounts, *rows)
        }

    async def _spread_people(
        self, channel: str, behind: Mapping[Key, datetime], pace: Pace, going: Sequence[object], now: datetime
    ) -> None:
        """Give all that waits for these people a moment each, one interval apart, so that it is in nobody's way."""
        await self._connection.execute(
            """
            UPDATE ledger AS l
               SET next_due_at = s.free_at + $5::interval * (s.place - 1), reason = 'paced'
              FROM (SELECT q.tenant_id, q.outreach_id, t.free_at,
                           row_number() OVER (PARTITION BY t.tenant_id, t.person_id
                                                  ORDER BY q.next_due_at, q.outreach_id) AS place
                      FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS t (tenant_id, person_id, free_at)
                     CROSS JOIN LATERAL (SELECT w.tenant_id, w.outreach_id, w.next_due_at
                                           FROM ledger AS w
                                          WHERE w.tenant_id = t.tenant_id AND w.person_id = t.person_id
                                            AND w.state = 'due' AND w.channel = $1 AND w.next_due_at <= $6
                                            AND NOT (w.outreach_id = ANY($7::uuid[]))
                                          ORDER BY w.next_due_at
                                          LIMIT $8
                                            FOR UPDATE SKIP LOCKED) AS q) AS s
             WHERE l.tenant_id = s.tenant_id AND l.outreach_id = s.outreach_id
            """,
            channel,
            [tenant for tenant, _ in behind],
            [person for _, person in behind],
            [*behind.values()],
            pace.interval,
            now,
            going,
            SPREAD_MAX,
        )

    async def _spread_accounts(
        self, channel: str, behind: Mapping[Key, datetime], pace: Pace, going: Sequence[object], now: datetime
    ) -> None:
        """Give all that waits for these accounts a moment each; everybody's first message before anybody's second."""
        await self._connection.execute(
            """
            UPDATE ledger AS l
               SET next_due_at = s.free_at + $4::interval * (s.place - 1), reason = 'paced'
              FROM (SELECT r.tenant_id, r.outreach_id, r.free_at,
                           row_number() OVER (PARTITION BY r.tenant_id
                                                  ORDER BY r.turn, r.next_due_at, r.outreach_id) AS place
                      FROM (SELECT q.*, t.free_at,
                                   row_number() OVER (PARTITION BY q.tenant_id, q.person_id
                                                          ORDER BY q.next_due_at, q.outreach_id) AS turn
                              FROM unnest($2::text[], $3::timestamptz[]) AS t (tenant_id, free_at)
                             CROSS JOIN LATERAL (SELECT w.tenant_id, w.outreach_id, w.person_id, w.next_due_at
                                                   FROM ledger AS w
                                                  WHERE w.tenant_id = t.tenant_id
                                                    AND w.state = 'due' AND w.channel = $1 AND w.next_due_at <= $5
                                                    AND NOT (w.outreach_id = ANY($6::uuid[]))
                                                  ORDER BY w.next_due_at
                                                  LIMIT $7
                                                    FOR UPDATE SKIP LOCKED) AS q) AS r) AS s
             WHERE l.tenant_id = s.tenant_id AND l.outreach_id = s.outreach_id
            """,
            channel,
            [tenant for tenant, _ in behind],
            [*behind.values()],
            pace.interval,
            now,
            going,
            SPREAD_MAX,
        )

    async def block(self, channel: str, until: Mapping[Key, datetime]) -> None:
        """Keep a provider's wish to wait, for all replicas; a shorter one does not shorten a longer one."""
        keys = sorted(until)
        await self._connection.execute(
            """
            INSERT INTO pacing AS p (tenant_id, channel, scope, blocked_until)
            SELECT t.tenant_id, $1, t.scope, t.blocked_until
              FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS t (tenant_id, scope, blocked_until)
                ON CONFLICT (tenant_id, channel, scope) DO UPDATE
               SET blocked_until = greatest(p.blocked_until, EXCLUDED.blocked_until), recorded_at = now()
            """,
            channel,
            [tenant for tenant, _ in keys],
            [scope for _, scope in keys],
            [until[key] for key in keys],
        )

    async def next_due(self, channel: str, now: datetime) -> datetime | None:
        """Return when the next message of a channel is due, after those that are due now."""
        found: datetime | None = await self._connection.fetchval(
            "SELECT min(next_due_at) FROM ledger WHERE state = 'due' AND channel = $1 AND next_due_at > $2",
            channel,
            now,
        )
        return found
