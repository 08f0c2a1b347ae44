"""The ledger's SQL: rows on their way from due to an outcome; every query says in one sentence what it is for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from duly_chassis.addresses import address_digest
from duly_chassis.work import Work
from messenger.channel import Letter
from messenger.domain import Change, Contact, Outreach, Stops
from messenger.rows import FACTS, contact, outreach


class Ledger(Work):
    """Claims, attempts and outcomes, inside one transaction."""

    async def claim(self, now: datetime, limit: int) -> list[tuple[Outreach, Contact | None, Stops]]:
        """Claim messages whose moment has come, each with its recipient and what ended it; others pass over them.

        Two statements: what is read beside the rows must be read after they are locked, or a contact that commits
        between snapshot and lock would be missed by the claim while its handler finds nothing to wake.
        """
        rows = await self._connection.fetch(
            """
            SELECT * FROM ledger
             WHERE state = 'due' AND next_due_at <= $1
             ORDER BY next_due_at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
            """,
            now,
            limit,
        )
        if not rows:
            return []
        beside = await self._connection.fetch(
            """
            SELECT t.tenant_id, t.person_id, c.status, c.name, c.mail, c.zone, c.locale, c.dead_digest,
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

    async def claim_in_doubt(self, now: datetime, limit: int) -> list[Outreach]:
        """Claim messages in doubt that have waited long enough for a late answer."""
        rows = await self._connection.fetch(
            """
            SELECT * FROM ledger
             WHERE state = 'in_doubt' AND next_due_at <= $1
             ORDER BY next_due_at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
            """,
            now,
            limit,
        )
        return [outreach(row) for row in rows]

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
            UPDATE ledger AS l
               SET state = 'posting', reason = t.reason, attempt = t.attempt, wording = t.wording, code = '',
                   next_due_at = NULL,
                   lease_token = $6, lease_until = clock_timestamp() + $7
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::text[])
                   AS t (tenant_id, outreach_id, reason, attempt, wording)
             WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
            """,
            [change.outreach.tenant_id for change in changes],
            [change.outreach.outreach_id for change in changes],
            [change.reason for change in changes],
            [change.attempt for change in changes],
            [letter.wording for _, letter in posting],
            token,
            lease,
        )
        digests = [
            address_digest(change.outreach.tenant_id, change.outreach.person_id, letter.recipient)
            for change, letter in posting
        ]
        await self._history(changes, now, digests=digests)

    async def change(
        self, changes: Sequence[Change], now: datetime, token: UUID | None = None, who: str | None = None
    ) -> list[Change]:
        """Write what became of messages and return the changes that took effect.

        With a `token` only rows that this sender put on their way are changed, even if they were taken for lost
        meanwhile: an answer is better than a doubt. One that comes after a person's decision changes nothing.
        """
        rows = await self._connection.fetch(
            """
            UPDATE ledger AS l
               SET state = t.state, reason = t.reason, code = t.code, next_due_at = t.next_due_at, attempt = t.attempt,
                   provider_id = coalesce(t.provider_id, l.provider_id), lease_until = NULL
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::int[],
                          $8::text[]) AS t (tenant_id, outreach_id, state, reason, code, next_due_at, attempt,
                                            provider_id)
             WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
               AND ($9::uuid IS NULL OR (l.lease_token = $9 AND l.state IN ('posting', 'in_doubt', 'parked')))
            RETURNING l.tenant_id, l.outreach_id
            """,
            [change.outreach.tenant_id for change in changes],
            [change.outreach.outreach_id for change in changes],
            [change.state for change in changes],
            [change.reason for change in changes],
            [change.code for change in changes],
            [change.next_due_at for change in changes],
            [change.attempt for change in changes],
            [change.provider_id for change in changes],
            token,
        )
        done = {(row["tenant_id"], row["outreach_id"]) for row in rows}
        effective = [one for one in changes if (one.outreach.tenant_id, one.outreach.outreach_id) in done]
        await self._history(effective, now, who)
        return effective

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

    async def _history(
        self, changes: Sequence[Change], now: datetime, who: str | None = None, digests: Sequence[bytes] = ()
    ) -> None:
        """Write each change with its time and cause; an attempt with the digest of the address it goes to."""
        await self._connection.execute(
            """
            INSERT INTO ledger_history (tenant_id, outreach_id, at, state, reason, code, attempt, who, address_digest)
            SELECT t.tenant_id, t.outreach_id, $7, t.state, t.reason, t.code, t.attempt, $8, t.address_digest
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $9::bytea[])
                   AS t (tenant_id, outreach_id, state, reason, code, attempt, address_digest)
            """,
            [change.outreach.tenant_id for change in changes],
            [change.outreach.outreach_id for change in changes],
            [change.state for change in changes],
            [change.reason for change in changes],
            [change.code for change in changes],
            [change.attempt for change in changes],
            now,
            who,
            [*digests] or [None for _ in changes],
        )
