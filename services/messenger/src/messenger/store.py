"""The SQL of what handlers load and save; the ledger's own is in sending/ledger.py, what readers ask in reading.py."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from duly_chassis.people import newest
from duly_contracts.decode import Fact
from duly_contracts.outreach import OutreachRequestedV1, OutreachRequestedV2
from duly_contracts.people import PersonRecordedV1
from messenger.domain import Stops
from messenger.planning.plan_rows import PlanRows
from messenger.planning.plans import ChannelPolicy
from messenger.sending.rows import FACTS
from messenger.settling.reported import Reported

Key = tuple[str, str]
"""Tenant, then person or what a message is about."""

PURGE_STOPS = """
    DELETE FROM stops WHERE ctid = ANY(ARRAY(
        SELECT s.ctid FROM stops AS s
         WHERE s.recorded_at < $1
           AND NOT EXISTS (SELECT FROM ledger AS l WHERE l.tenant_id = s.tenant_id AND l.about = s.about
                                                     AND (l.state IN ('due', 'held', 'posting', 'in_doubt', 'parked')
                                                          OR l.next_due_at IS NOT NULL))
         LIMIT $2))
"""


PURGE_BOUNCES = """
    DELETE FROM bounces WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM bounces WHERE recorded_at < $1 LIMIT $2))
"""


PURGE_REPORTS = """
    DELETE FROM reports WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM reports WHERE recorded_at < $1 LIMIT $2))
"""


PURGE_PACING = """
    DELETE FROM pacing WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM pacing WHERE recorded_at < $1 LIMIT $2))
"""


def json_text(value: object) -> str:
    """Write a value as JSON for a jsonb parameter."""
    return msgspec.json.encode(value).decode()


Requested = OutreachRequestedV1 | OutreachRequestedV2
ROUTINE = "routine"
MAIL_ALONE = ChannelPolicy()


class Store(PlanRows, Reported):
    """Contacts, stops and requests beside the ledger, inside one transaction."""

    async def save_contacts(self, facts: Sequence[Fact[PersonRecordedV1]]) -> None:
        """Take over how people are reached, where the record is newer."""
        records = [fact.data for fact in newest(facts)]
        await self._connection.execute(
            """
            INSERT INTO contacts AS c (tenant_id, person_id, version, status, name, mail, zone, locale, mobile)
            SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                                 $8::text[], $9::text[])
                ON CONFLICT (tenant_id, person_id) DO UPDATE
               SET version = EXCLUDED.version, status = EXCLUDED.status, name = EXCLUDED.name, mail = EXCLUDED.mail,
                   zone = EXCLUDED.zone, locale = EXCLUDED.locale, mobile = EXCLUDED.mobile, recorded_at = now()
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
            [record.personal.mobile for record in records],
        )

    async def wake_person(self, keys: Collection[Key], now: datetime) -> None:
        """Look at these people's waiting messages now: what they waited for may have come.

        Whatever they wait for: the row that a sender is just putting to sleep has no telling reason yet, so this
        waits for its lock and finds it. The pause after a refusal is not cut short. What a brake holds is tested.
        """
        await self._connection.execute(
            """
            UPDATE ledger AS l
               SET next_due_at = CASE WHEN l.attempt = 0 OR l.state = 'held'
                                        OR l.reason IN ('no_address', 'address_dead', 'zone_unknown',
                                                        'no_common_hours')
                                      THEN least(l.next_due_at, $3) ELSE l.next_due_at END
              FROM unnest($1::text[], $2::text[]) AS t (tenant_id, person_id)
             WHERE l.tenant_id = t.tenant_id AND l.person_id = t.person_id AND l.state IN ('due', 'held')
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
               SET next_due_at = least(l.next_due_at, $3)
              FROM unnest($1::text[], $2::text[]) AS t (tenant_id, about)
             WHERE l.tenant_id = t.tenant_id AND l.about = t.about AND l.state IN ('due', 'held')
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
               SET next_due_at = CASE WHEN l.state IN ('due', 'held')
                                      THEN least(l.next_due_at, $3) ELSE l.next_due_at END
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

    async def enter(
        self, facts: Sequence[Fact[Requested]], now: datetime, policy: ChannelPolicy = MAIL_ALONE
    ) -> set[tuple[str, UUID]]:
        """Write these requests into the ledger, with the stop rows their gates will lock; return the new ones.

        The claim is the INSERT: what is known by its id or by its notification key is one message.
        """
        requests = [fact.data for fact in facts]
        ways = [policy.way(request.message, mandatory=request.mandatory) for request in requests]
        await self._connection.execute(
            """
            INSERT INTO stops (tenant_id, about) SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) ORDER BY 1, 2
                ON CONFLICT (tenant_id, about) DO UPDATE  -- locks it: a purge that has it in hand gives it up
               SET recorded_at = now() WHERE stops.recorded_at < now() - interval '30 days'
            """,
            [request.tenant_id for request in requests],
            [request.about for request in requests],
        )
        rows = await self._connection.fetch(
            """
            INSERT INTO ledger (tenant_id, outreach_id, channel, person_id, dedupe_key, about, step, message, "values",
                                ends_when, policy_version, not_before, useful_until, traceparent, plan, urgency, why,
                                next_due_at, state, reason, requested_at, plan_version)
            SELECT t.*, t.not_before, 'due', 'requested', $18, $19
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                          $8::text[], $9::jsonb[], $10::jsonb[], $11::text[], $12::timestamptz[], $13::timestamptz[],
                          $14::text[], $15::jsonb[], $16::text[], $17::text[])
                   AS t (tenant_id, outreach_id, channel, person_id, dedupe_key, about, step, message, "values",
                         ends_when, policy_version, not_before, useful_until, traceparent, plan, urgency, why)
                ON CONFLICT DO NOTHING
            RETURNING tenant_id, outreach_id
            """,
            [request.tenant_id for request in requests],
            [request.outreach_id for request in requests],
            [way[0].channel for way in ways],
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
            [fact.trace for fact in facts],
            [json_text(way[1:]) for way in ways],
            [one.urgency if isinstance(one, OutreachRequestedV2) else ROUTINE for one in requests],
            [one.reason if isinstance(one, OutreachRequestedV2) else "" for one in requests],
            now,
            policy.version,
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
