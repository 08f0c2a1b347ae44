"""The only SQL of messenger; every query says in one sentence what it is for."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from duly_chassis.people import newest
from duly_chassis.work import Work
from duly_contracts.decode import Fact
from duly_contracts.outreach import Ending, OutreachRequestedV1
from duly_contracts.people import PersonRecordedV1
from messenger.domain import Change, Contact, Outreach, Stops

Key = tuple[str, str]
"""Tenant, then person or what a message is about."""

MAIL = "mail"
ENDINGS = msgspec.json.Decoder(tuple[Ending, ...])
FACTS = msgspec.json.Decoder(dict[str, datetime])
VALUES = msgspec.json.Decoder(dict[str, str])


def json_text(value: object) -> str:
    """Write a value as JSON for a jsonb parameter."""
    return msgspec.json.encode(value).decode()


class Store(Work):
    """Contacts, stops and the ledger, inside one transaction."""

    async def save_contacts(self, facts: Sequence[Fact[PersonRecordedV1]]) -> None:
        """Take over how people are reached, where the record is newer."""
        records = [fact.data for fact in newest(facts)]
        await self._connection.execute(
            """
            INSERT INTO contacts AS c (tenant_id, person_id, version, status, name, mail, zone, locale)
            SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                                 $8::text[])
                ON CONFLICT (tenant_id, person_id) DO UPDATE
               SET version = EXCLUDED.version, status = EXCLUDED.status, name = EXCLUDED.name, mail = EXCLUDED.mail,
                   zone = EXCLUDED.zone, locale = EXCLUDED.locale, recorded_at = now()
             WHERE c.version < EXCLUDED.version
            """,
            [record.tenant_id for record in records],
            [record.person_id for record in records],
            [record.version for record in records],
            [record.status for record in records],
            [record.personal.name for record in records],
            [record.personal.mail for record in records],
            [record.zone for record in records],
            [record.locale for record in records],
        )

    async def wake_person(self, keys: Collection[Key], now: datetime) -> None:
        """Look at these people's waiting messages now: what they waited for may have come."""
        await self._connection.execute(
            """
            UPDATE ledger AS l
               SET next_due_at = $3
              FROM unnest($1::text[], $2::text[]) AS t (tenant_id, person_id)
             WHERE l.tenant_id = t.tenant_id AND l.person_id = t.person_id
               AND l.state = 'due' AND l.next_due_at > $3 AND l.reason IN ('recipient_unknown', 'no_address')
            """,
            [tenant for tenant, _ in keys],
            [person for _, person in keys],
            now,
        )

    async def wake_about(self, keys: Collection[Key], now: datetime) -> None:
        """Look at the messages about these things now, so that one that became pointless is closed at once."""
        await self._connection.execute(
            """
            UPDATE ledger AS l
               SET next_due_at = $3
              FROM unnest($1::text[], $2::text[]) AS t (tenant_id, about)
             WHERE l.tenant_id = t.tenant_id AND l.about = t.about AND l.state = 'due' AND l.next_due_at > $3
            """,
            [tenant for tenant, _ in keys],
            [about for _, about in keys],
            now,
        )

    async def touch(self, outreach: Collection[tuple[str, UUID]], now: datetime) -> None:
        """Take the row lock of these messages, which the gate shares while it writes, and look at them now."""
        await self._connection.execute(
            """
            UPDATE ledger AS l
               SET next_due_at = CASE WHEN l.state = 'due' THEN least(l.next_due_at, $3) ELSE l.next_due_at END
              FROM unnest($1::text[], $2::uuid[]) AS t (tenant_id, outreach_id)
             WHERE l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
            """,
            [tenant for tenant, _ in outreach],
            [outreach_id for _, outreach_id in outreach],
            now,
        )

    async def lock_stops(self, keys: Collection[Key]) -> dict[Key, dict[str, datetime]]:
        """Make sure these stop rows exist, lock them in order, and return what they hold."""
        wanted = sorted(keys)
        tenants, abouts = [tenant for tenant, _ in wanted], [about for _, about in wanted]
        await self._connection.execute(
            """
            INSERT INTO stops (tenant_id, about) SELECT * FROM unnest($1::text[], $2::text[])
                ON CONFLICT DO NOTHING
            """,
            tenants,
            abouts,
        )
        rows = await self._connection.fetch(
            """
            SELECT s.tenant_id, s.about, s.facts
              FROM stops AS s
              JOIN unnest($1::text[], $2::text[]) AS t (tenant_id, about)
                ON s.tenant_id = t.tenant_id AND s.about = t.about
             ORDER BY s.tenant_id, s.about
               FOR UPDATE OF s
            """,
            tenants,
            abouts,
        )
        return {(row["tenant_id"], row["about"]): FACTS.decode(row["facts"]) for row in rows}

    async def save_stops(self, stops: Mapping[Key, Stops]) -> None:
        """Write what ended something; this commit is the one that no send may follow."""
        await self._connection.execute(
            """
            UPDATE stops AS s
               SET facts = t.facts, recorded_at = now()
              FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS t (tenant_id, about, facts)
             WHERE s.tenant_id = t.tenant_id AND s.about = t.about
            """,
            [tenant for tenant, _ in stops],
            [about for _, about in stops],
            [json_text(facts) for facts in stops.values()],
        )

    async def enter(self, requests: Sequence[OutreachRequestedV1], now: datetime) -> set[tuple[str, UUID]]:
        """Write these requests into the ledger, with the stop rows their gates will lock; return the new ones.

        The claim is the INSERT: what is known by its id or by its notification key is one message.
        """
        await self._connection.execute(
            """
            INSERT INTO stops (tenant_id, about) SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) ORDER BY 1, 2
                ON CONFLICT DO NOTHING
            """,
            [request.tenant_id for request in requests],
            [request.about for request in requests],
        )
        rows = await self._connection.fetch(
            """
            INSERT INTO ledger (tenant_id, outreach_id, channel, person_id, dedupe_key, about, step, message, "values",
                                ends_when, policy_version, not_before, useful_until, next_due_at, state, reason,
                                requested_at)
            SELECT t.*, t.not_before, 'due', 'requested', $14
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                          $8::text[], $9::jsonb[], $10::jsonb[], $11::text[], $12::timestamptz[], $13::timestamptz[])
                   AS t (tenant_id, outreach_id, channel, person_id, dedupe_key, about, step, message, "values",
                         ends_when, policy_version, not_before, useful_until)
                ON CONFLICT DO NOTHING
            RETURNING tenant_id, outreach_id
            """,
            [request.tenant_id for request in requests],
            [request.outreach_id for request in requests],
            [MAIL for _ in requests],
            [request.person_id for request in requests],
            [request.dedupe_key for request in requests],
            [request.about for request in requests],
            [request.step for request in requests],
            [request.message for request in requests],
            [json_text(request.values) for request in requests],
            [json_text(request.ends_when) for request in requests],
            [request.policy_version for request in requests],
            [request.not_before for request in requests],
            [request.useful_until for request in requests],
            now,
        )
        return {(row["tenant_id"], row["outreach_id"]) for row in rows}

    async def known(self, outreach: Collection[tuple[str, UUID]]) -> set[tuple[str, UUID]]:
        """Return which of these messages the ledger holds."""
        rows = await self._connection.fetch(
            """
            SELECT l.tenant_id, l.outreach_id
              FROM ledger AS l
              JOIN unnest($1::text[], $2::uuid[]) AS t (tenant_id, outreach_id)
                ON l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
            """,
            [tenant for tenant, _ in outreach],
            [outreach_id for _, outreach_id in outreach],
        )
        return {(row["tenant_id"], row["outreach_id"]) for row in rows}

    async def claim(self, now: datetime, limit: int) -> list[tuple[Outreach, Contact | None, Stops]]:
        """Claim messages whose moment has come, each with its recipient and what ended it; others pass over them."""
        rows = await self._connection.fetch(
            """
            SELECT l.*, c.status, c.name, c.mail, c.zone, c.locale,
                   coalesce(a.facts, '{}') || coalesce(w.facts, '{}') AS stop_facts
              FROM ledger AS l
              LEFT JOIN contacts AS c ON c.tenant_id = l.tenant_id AND c.person_id = l.person_id
              LEFT JOIN stops AS a ON a.tenant_id = l.tenant_id AND a.about = l.about
              LEFT JOIN stops AS w ON w.tenant_id = l.tenant_id AND w.about = l.outreach_id::text
             WHERE l.state = 'due' AND l.next_due_at <= $1
             ORDER BY l.next_due_at
             LIMIT $2
               FOR UPDATE OF l SKIP LOCKED
            """,
            now,
            limit,
        )
        return [(outreach(row), contact(row), FACTS.decode(row["stop_facts"])) for row in rows]

    async def gate(self, token: UUID, outreach_ids: Sequence[UUID]) -> list[tuple[Outreach, Contact | None, Stops]]:
        """Lock, shared, everything that could forbid these sends, and return it as it is now.

        SKIP LOCKED: a row that a stop is just changing is not allowed instead of waited for, so that gate and stop
        can never wait for each other. Nothing is returned whose lease is not ours any more.
        """
        rows = await self._connection.fetch(
            """
            SELECT l.*, c.status, c.name, c.mail, c.zone, c.locale,
                   a.facts || coalesce(w.facts, '{}') AS stop_facts
              FROM ledger AS l
              JOIN contacts AS c ON c.tenant_id = l.tenant_id AND c.person_id = l.person_id
              JOIN stops AS a ON a.tenant_id = l.tenant_id AND a.about = l.about
              LEFT JOIN stops AS w ON w.tenant_id = l.tenant_id AND w.about = l.outreach_id::text
             WHERE l.outreach_id = ANY($2::uuid[]) AND l.state = 'posting'
               AND l.lease_token = $1 AND l.lease_until > clock_timestamp()
               FOR SHARE OF l, c, a SKIP LOCKED
            """,
            token,
            outreach_ids,
        )
        return [(outreach(row), contact(row), FACTS.decode(row["stop_facts"])) for row in rows]

    async def in_doubt(self, now: datetime, limit: int) -> list[Outreach]:
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

    async def lapsed(self, limit: int) -> list[Outreach]:
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

        With a `token` only rows that this sender put on their way are changed: an answer that comes after a
        person's decision changes nothing.
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
               AND ($9::uuid IS NULL OR (l.lease_token = $9 AND l.state IN ('posting', 'in_doubt')))
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

    async def story(self, tenant_id: str, person_id: str, about: str) -> list[asyncpg.Record]:
        """Return a person's messages about one thing, each with its history; for a reader."""
        return await self._connection.fetch(
            """
            SELECT l.outreach_id, l.channel, l.message, l.step, l.state, l.reason, l.code, l.attempt, l.not_before,
                   l.useful_until, l.next_due_at, l.provider_id, l.policy_version, l.requested_at,
                   (SELECT json_agg(json_build_object('at', h.at, 'state', h.state, 'reason', h.reason, 'code', h.code,
                                                      'attempt', h.attempt, 'who', h.who) ORDER BY h.id)
                      FROM ledger_history AS h
                     WHERE h.tenant_id = l.tenant_id AND h.outreach_id = l.outreach_id) AS history
              FROM ledger AS l
             WHERE l.tenant_id = $1 AND l.person_id = $2 AND l.about = $3
             ORDER BY l.requested_at, l.step
            """,
            tenant_id,
            person_id,
            about,
        )

    async def parked_list(self, tenant_id: str, limit: int) -> list[asyncpg.Record]:
        """Return this tenant's parked messages, with the evidence there is; for a reader."""
        return await self._connection.fetch(
            """
            SELECT l.outreach_id, l.person_id, c.mail, l.about, l.message, l.step, l.reason, l.code, l.attempt,
                   l.requested_at
              FROM ledger AS l
              LEFT JOIN contacts AS c ON c.tenant_id = l.tenant_id AND c.person_id = l.person_id
             WHERE l.tenant_id = $1 AND l.state = 'parked'
             ORDER BY l.requested_at, l.outreach_id
             LIMIT $2
            """,
            tenant_id,
            limit,
        )

    async def counts(self, tenant_id: str) -> list[asyncpg.Record]:
        """Count this tenant's messages by what became of them; for a reader."""
        return await self._connection.fetch(
            """
            SELECT message, step, state, reason, count(*) AS number
              FROM ledger
             WHERE tenant_id = $1
             GROUP BY message, step, state, reason
             ORDER BY message, step, state, reason
            """,
            tenant_id,
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
        attempt=row["attempt"],
        next_due_at=row["next_due_at"],
    )


def contact(row: asyncpg.Record) -> Contact | None:
    """Turn the joined columns into the domain's contact; None when the person is not known."""
    if row["status"] is None:
        return None
    return Contact(row["status"], row["name"], row["mail"], row["zone"], row["locale"])
