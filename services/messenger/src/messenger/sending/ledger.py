"""The ledger's SQL: rows on their way from due to an outcome; how they are claimed is in sending/claims.py."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from duly_chassis.addresses import address_digest
from messenger.channel import Letter
from messenger.domain import Change, Outreach
from messenger.limits.counted_rows import CountedRows
from messenger.sending.rows import outreach


class Ledger(CountedRows):
    """Attempts and outcomes, inside one transaction."""

    async def renew(self, tokens: Sequence[UUID], lease: timedelta) -> None:
        """Show a sign of life for everything these senders have on their way (machine clock)."""
        await self._connection.execute(
            """
            UPDATE ledger SET lease_until = clock_timestamp() + $2
             WHERE state = 'posting' AND lease_token = ANY($1::uuid[]) AND lease_until >= clock_timestamp()
            """,
            tokens,
            lease,
        )

    async def post(
        self, posting: Sequence[tuple[Change, Letter]], now: datetime, token: UUID, lease: timedelta
    ) -> None:
        """Write down the attempts before they are made: from here on a crash leaves them in doubt, never due."""
        changes = [change for change, _ in posting]
        await self._connection.execute(
            """
            WITH p AS (
                UPDATE ledger AS l
                   SET state = 'posting', reason = t.reason, attempt = t.attempt, wording = t.wording, code = '',
                       next_due_at = NULL, address = t.address, checks = 0, asks = 0,
                       first_posted_at = coalesce(l.first_posted_at, clock_timestamp()),
                       lease_token = $7, lease_until = clock_timestamp() + $8
                  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::text[])
                       AS t (tenant_id, outreach_id, reason, attempt, wording, address)
                 WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id)
            INSERT INTO ledger_history (tenant_id, outreach_id, at, state, reason, code, attempt, address_digest,
                                        channel)
            SELECT t.tenant_id, t.outreach_id, $9, 'posting', t.reason, '', t.attempt, t.address_digest, t.channel
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $10::bytea[], $11::text[])
                   AS t (tenant_id, outreach_id, reason, attempt, address_digest, channel)
            """,
            [change.outreach.tenant_id for change in changes],
            [change.outreach.outreach_id for change in changes],
            [change.reason for change in changes],
            [change.attempt for change in changes],
            [letter.wording for _, letter in posting],
            [letter.recipient for _, letter in posting],
            token,
            lease,
            now,
            [
                address_digest(change.outreach.tenant_id, change.outreach.person_id, letter.recipient)
                for change, letter in posting
            ],
            [change.outreach.channel for change in changes],
        )

    async def change(
        self,
        changes: Sequence[Change],
        now: datetime,
        token: UUID | None = None,
        who: str | None = None,
        asking: UUID | None = None,
    ) -> list[Change]:
        """Write what became of messages, and their stories; return the changes that took effect.

        With a `token` only rows that this sender put on their way are changed, even if they were taken for lost
        meanwhile: an answer is better than a doubt. One that comes after a person's decision changes nothing. With
        `asking` only rows that are still in doubt and in the hands of who asked. A change with a leg is a move.
        """
        rows = await self._connection.fetch(
            """
            WITH u AS (
                UPDATE ledger AS l
                   SET state = t.state, reason = t.reason, code = t.code, next_due_at = t.next_due_at,
                       attempt = t.attempt, provider_id = coalesce(t.provider_id, l.provider_id), lease_until = NULL,
                       checks = t.checks, asks = t.asks,
                       address = CASE WHEN t.state IN ('in_doubt', 'parked') THEN l.address END,
                       channel = coalesce(t.channel, l.channel),
                       plan = CASE WHEN t.channel IS NULL THEN l.plan ELSE l.plan - 0 END,
                       attempts_before = CASE WHEN t.channel IS NULL THEN l.attempts_before ELSE t.attempt END,
                       leg_since = CASE WHEN t.channel IS NULL THEN l.leg_since ELSE $14 END,
                       first_posted_at = CASE WHEN t.channel IS NULL THEN l.first_posted_at END
                  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::int[],
                              $8::text[], $9::text[], $10::int[], $11::int[])
                       AS t (tenant_id, outreach_id, state, reason, code, next_due_at, attempt, provider_id, channel,
                             checks, asks)
                 WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
                   AND ($12::uuid IS NULL OR (l.lease_token = $12 AND l.state IN ('posting', 'in_doubt', 'parked')))
                   AND ($13::uuid IS NULL OR (l.asking = $13 AND l.state = 'in_doubt'))
                RETURNING l.tenant_id, l.outreach_id), h AS (
                INSERT INTO ledger_history (tenant_id, outreach_id, at, state, reason, code, attempt, who, channel)
                SELECT t.tenant_id, t.outreach_id, $14, t.state, t.reason, t.code, t.attempt, $15, t.channel
                  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $7::int[], $16::text[])
                       AS t (tenant_id, outreach_id, state, reason, code, attempt, channel)
                  JOIN u ON u.tenant_id = t.tenant_id AND u.outreach_id = t.outreach_id)
            SELECT tenant_id, outreach_id FROM u
            """,
            [change.outreach.tenant_id for change in changes],
            [change.outreach.outreach_id for change in changes],
            [change.state for change in changes],
            [change.reason for change in changes],
            [change.code for change in changes],
            [change.next_due_at for change in changes],
            [change.attempt for change in changes],
            [change.provider_id for change in changes],
            [change.leg.channel if change.leg else None for change in changes],
            [change.checks for change in changes],
            [change.asks for change in changes],
            token,
            asking,
            now,
            who,
            [change.outreach.channel for change in changes],
        )
        done = {(row["tenant_id"], row["outreach_id"]) for row in rows}
        return [one for one in changes if one.outreach.key in done]

    async def zones(self, people: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
        """Return the zones that these people's hours go by."""
        rows = await self._connection.fetch(
            """
            SELECT c.tenant_id, c.person_id, c.zone
              FROM contacts AS c
              JOIN unnest($1::text[], $2::text[]) AS t (tenant_id, person_id)
                ON c.tenant_id = t.tenant_id AND c.person_id = t.person_id
            """,
            [tenant for tenant, _ in people],
            [person for _, person in people],
        )
        return {(row["tenant_id"], row["person_id"]): row["zone"] for row in rows}

    async def parked(self, tenant_id: str, outreach_id: UUID) -> Outreach | None:
        """Lock and return a parked message of this tenant."""
        row = await self._connection.fetchrow(
            "SELECT * FROM ledger WHERE tenant_id = $1 AND outreach_id = $2 AND state = 'parked' FOR UPDATE",
            tenant_id,
            outreach_id,
        )
        return None if row is None else outreach(row)

    async def extend(self, row: Outreach, useful_until: datetime) -> None:
        """Keep a message useful for a while longer, because a person has just decided to send it."""
        await self._connection.execute(
            """
            UPDATE ledger SET useful_until = greatest(useful_until, $3) WHERE tenant_id = $1 AND outreach_id = $2
            """,
            row.tenant_id,
            row.outreach_id,
            useful_until,
        )

    async def _history(self, changes: Sequence[Change], now: datetime, who: str | None = None) -> None:
        """Write lines of stories alone, each with its time, its cause and its channel; the rows stay as they are."""
        await self._connection.execute(
            """
            INSERT INTO ledger_history (tenant_id, outreach_id, at, state, reason, code, attempt, who, channel)
            SELECT t.tenant_id, t.outreach_id, $7, t.state, t.reason, t.code, t.attempt, $8, t.channel
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $9::text[])
                   AS t (tenant_id, outreach_id, state, reason, code, attempt, channel)
            """,
            [change.outreach.tenant_id for change in changes],
            [change.outreach.outreach_id for change in changes],
            [change.state for change in changes],
            [change.reason for change in changes],
            [change.code for change in changes],
            [change.attempt for change in changes],
            now,
            who,
            [change.outreach.channel for change in changes],
        )
