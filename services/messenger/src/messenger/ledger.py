"""The ledger's SQL: rows on their way from due to an outcome; every query says in one sentence what it is for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from duly_chassis.work import Work
from duly_contracts.outreach import Ending
from messenger.domain import Change, Contact, Outreach, Stops

ENDINGS = msgspec.json.Decoder(tuple[Ending, ...])
FACTS = msgspec.json.Decoder(dict[str, datetime])
VALUES = msgspec.json.Decoder(dict[str, str])


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
            SELECT c.status, c.name, c.mail, c.zone, c.locale,
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

    async def gate(self, token: UUID, outreach_ids: Sequence[UUID]) -> list[tuple[Outreach, Contact | None, Stops]]:
        """Lock, shared, everything that could forbid these sends, and return it as it is now.

        SKIP LOCKED: a row that a stop is just changing is not allowed instead of waited for, so that gate and stop
        can never wait for each other. Nothing is returned whose lease is not ours any more. The database ends a gate
        that idles for 2 s, so that a paused process cannot block stops.
        """
        await self._connection.execute("SET LOCAL idle_in_transaction_session_timeout = '2s'")
        rows = await self._connection.fetch(
            """
            SELECT l.*, c.status, c.name, c.mail, c.zone, c.locale, a.facts AS stop_facts
              FROM ledger AS l
              JOIN contacts AS c ON c.tenant_id = l.tenant_id AND c.person_id = l.person_id
              JOIN stops AS a ON a.tenant_id = l.tenant_id AND a.about = l.about
             WHERE l.outreach_id = ANY($2::uuid[]) AND l.state = 'posting'
               AND l.lease_token = $1 AND l.lease_until > clock_timestamp()
               FOR SHARE OF l, c, a SKIP LOCKED
            """,
            token,
            outreach_ids,
        )
        taken_back = await self._taken_back(rows)
        return [
            (
                outreach(row),
                contact(row),
                FACTS.decode(row["stop_facts"]) | taken_back.get((row["tenant_id"], row["outreach_id"]), {}),
            )
            for row in rows
        ]

    async def _taken_back(self, rows: Sequence[asyncpg.Record]) -> dict[tuple[str, UUID], dict[str, datetime]]:
        """Return what took these messages themselves back, read after their rows were locked.

        In the locking statement it would be read with that statement's snapshot, and one that committed between
        snapshot and lock would be missed. Who takes a message back touches its row, so now none can commit.
        """
        found = await self._connection.fetch(
            """
            SELECT w.tenant_id, t.outreach_id, w.facts
              FROM unnest($1::text[], $2::uuid[]) AS t (tenant_id, outreach_id)
              JOIN stops AS w ON w.tenant_id = t.tenant_id AND w.about = t.outreach_id::text
            """,
            [row["tenant_id"] for row in rows],
            [row["outreach_id"] for row in rows],
        )
        return {(row["tenant_id"], row["outreach_id"]): FACTS.decode(row["facts"]) for row in found}

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

    async def post(self, changes: Sequence[Change], token: UUID, lease: timedelta, now: datetime) -> None:
        """Write down the attempts before they are made: from here on a crash leaves them in doubt, never due."""
        await self._connection.execute(
            """
            UPDATE ledger AS l
               SET state = 'posting', reason = t.reason, attempt = t.attempt, next_due_at = NULL, code = '',
                   lease_token = $5, lease_until = clock_timestamp() + $6
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[]) AS t (tenant_id, outreach_id, reason, attempt)
             WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
            """,
            [change.outreach.tenant_id for change in changes],
            [change.outreach.outreach_id for change in changes],
            [change.reason for change in changes],
            [change.attempt for change in changes],
            token,
            lease,
        )
        await self._history(changes, now)

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

    async def _history(self, changes: Sequence[Change], now: datetime, who: str | None = None) -> None:
        """Write each change with its time and cause."""
        await self._connection.execute(
            """
            INSERT INTO ledger_history (tenant_id, outreach_id, at, state, reason, code, attempt, who)
            SELECT t.tenant_id, t.outreach_id, $7, t.state, t.reason, t.code, t.attempt, $8
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[])
                   AS t (tenant_id, outreach_id, state, reason, code, attempt)
            """,
            [change.outreach.tenant_id for change in changes],
            [change.outreach.outreach_id for change in changes],
            [change.state for change in changes],
            [change.reason for change in changes],
            [change.code for change in changes],
            [change.attempt for change in changes],
            now,
            who,
        )


def outreach(row: asyncpg.Record) -> Outreach:
    """Turn a ledger row into the domain's outreach."""
    return Outreach(
        tenant_id=row["tenant_id"],
        outreach_id=row["outreach_id"],
        person_id=row["person_id"],
        about=row["about"],
        step=row["step"],
        message=row["message"],
        values=VALUES.decode(row["values"]),
        ends_when=ENDINGS.decode(row["ends_when"]),
        not_before=row["not_before"],
        useful_until=row["useful_until"],
        state=row["state"],
        reason=row["reason"],
        code=row["code"],
        attempt=row["attempt"],
        next_due_at=row["next_due_at"],
    )


def contact(row: asyncpg.Record) -> Contact | None:
    """Turn the joined columns into the domain's contact; None when the person is not known."""
    if row["status"] is None:
        return None
    return Contact(row["status"], row["name"], row["mail"], row["zone"], row["locale"])
