"""The SQL of pacing: when each provider may be used again, for all replicas, and the moments of what waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from messenger.channel import GATE_HELD_S_MAX
from messenger.domain import Change
from messenger.limits.pacing import ACCOUNT, SPREAD_AT_CLAIM_MAX, Allotted, Held, Key, Pace, Taken, allot, take
from messenger.limits.spread_rows import SpreadRows
from messenger.sending.claims import Claimed

BEGINS_WITHIN = timedelta(seconds=GATE_HELD_S_MAX)
"""So much later than it asks may a request begin."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What this process wrote of a scope last, and how many requests ask again because they did not begin."""

    after: datetime
    unused: int


class Paced(SpreadRows):
    """The ledger, with the pace of its providers, inside one transaction."""

    async def claim_beside(
        self, channel: str, now: datetime, limit: int, behind: Sequence[Key], behind_at: datetime
    ) -> list[Claimed]:
        """Claim as `claim` does, but not what was due of these scopes by then: it is to be in nobody's way."""
        rows = await self._connection.fetch(
            """
            SELECT * FROM ledger AS l  -- a list that is hashed: a join would compare each row with each scope
             WHERE l.state = 'due' AND l.channel = $1 AND l.next_due_at <= $2
               AND NOT (l.next_due_at <= $6 AND (l.tenant_id = ANY($4::text[])
                                                 OR l.tenant_id || '/' || l.person_id = ANY($5::text[])))
             ORDER BY l.next_due_at
             LIMIT $3
               FOR UPDATE SKIP LOCKED
            """,
            channel,
            now,
            limit,
            [tenant for tenant, scope in behind if scope == ACCOUNT],
            [f"{tenant}/{scope}" for tenant, scope in behind],  # no tenant's name has a slash
            behind_at,
        )
        return await self._beside(rows)

    async def allotted(
        self, channel: str, changes: Sequence[Change], pace: Pace, now: datetime
    ) -> tuple[Allotted, dict[Key, datetime]]:
        """Decide which of these messages may go now; the caller posts them.

        Each that waits gets its moment here, where its scope has few of them. The other scopes are returned, with
        their first moment that is still to be given (`spread`).
        """
        scopes = sorted({pace.scope(change.outreach) for change in changes})
        await self._known(channel, scopes)
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
        behind = {key: found.free_at[key] for key in {pace.scope(change.outreach) for change in found.waiting}}
        if not behind or not pace.by_person:
            return found, behind
        going = [change.outreach.outreach_id for change in found.going]
        moved = await self.spread_people(channel, behind, pace, now, (SPREAD_AT_CLAIM_MAX, going))
        many = {key: at + SPREAD_AT_CLAIM_MAX * pace.interval for key, at in behind.items()}
        return found, {key: at for key, at in many.items() if moved[key] >= SPREAD_AT_CLAIM_MAX}

    async def spread(self, channel: str, behind: Mapping[Key, datetime], pace: Pace, now: datetime) -> None:
        """Give all that waits for these scopes a moment each, from these on, one interval apart."""
        if pace.by_person:
            await self.spread_people(channel, behind, pace, now)
        else:
            await self.spread_accounts(channel, behind, pace, now)

    async def take(
        self, channel: str, asking: Sequence[Key], ours: Mapping[Key, Ours], pace: Pace, now: datetime
    ) -> tuple[list[bool], dict[Key, Taken]]:
        """Say which of these requests may begin, and keep that they do, as late as they can: nobody else begins then.

        The commit comes before the request, but does not
        wait for the disk: a database that crashes is back later than what it would lose is over.
        """
        await self._connection.execute("SET LOCAL synchronous_commit = off")
        held = await self._held(channel, sorted(set(asking)))
        back = {key: one.unused for key, one in ours.items() if key in held and held[key].begin_after == one.after}
        may, taken = take(asking, held, back, pace, now)
        after = {key: one.begin_after(now + BEGINS_WITHIN, pace) for key, one in taken.items()}
        await self._begin_after(channel, {key: (held[key].begin_after, at) for key, at in after.items()})
        return may, taken

    async def begun(self, channel: str, after: Mapping[Key, tuple[datetime, datetime]]) -> None:
        """Put the moment that was waited for, the second, in place of the latest one, unless others came since."""
        await self._connection.execute("SET LOCAL synchronous_commit = off")
        await self._begin_after(channel, after)

    async def _begin_after(self, channel: str, after: Mapping[Key, tuple[datetime | None, datetime]]) -> None:
        keys = sorted(after)
        await self._connection.execute(
            """
            WITH b AS MATERIALIZED (
                SELECT p.tenant_id, p.scope, t.later
                  FROM pacing AS p
                  JOIN unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
                       AS t (tenant_id, scope, known, later)
                    ON p.tenant_id = t.tenant_id AND p.scope = t.scope
                 WHERE p.channel = $1 AND p.begin_after IS NOT DISTINCT FROM t.known
                 ORDER BY p.tenant_id, p.scope
                   FOR UPDATE OF p)
            UPDATE pacing AS p SET begin_after = b.later
              FROM b
             WHERE p.tenant_id = b.tenant_id AND p.channel = $1 AND p.scope = b.scope
            """,
            channel,
            [tenant for tenant, _ in keys],
            [scope for _, scope in keys],
            [after[key][0] for key in keys],
            [after[key][1] for key in keys],
        )

    async def _known(self, channel: str, scopes: Sequence[Key]) -> None:
        """Make sure that these scopes have rows."""
        await self._connection.execute(
            """
            INSERT INTO pacing (tenant_id, channel, scope) SELECT t.tenant_id, $1, t.scope
              FROM unnest($2::text[], $3::text[]) AS t (tenant_id, scope)
                ON CONFLICT DO NOTHING
            """,
            channel,
            [tenant for tenant, _ in scopes],
            [scope for _, scope in scopes],
        )

    async def _held(self, channel: str, scopes: Sequence[Key]) -> dict[Key, Held]:
        """Lock these scopes in order, and return them with their accounts."""
        tenants, names = [tenant for tenant, _ in scopes], [scope for _, scope in scopes]
        rows = await self._connection.fetch(
            """
            SELECT p.tenant_id, p.scope, p.free_at, p.blocked_until, p.begin_after
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
            SELECT tenant_id, scope, free_at, blocked_until, begin_after FROM pacing
             WHERE tenant_id = ANY($2::text[]) AND channel = $1 AND scope = ''
            """,
            channel,
            tenants,
        )
        return {
            (row["tenant_id"], row["scope"]): Held(row["free_at"], row["blocked_until"], row["begin_after"])
            for row in (*accounts, *rows)
        }

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
