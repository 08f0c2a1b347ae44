"""The SQL of providers' reports: each once, its message locked, and the story."""

from collections.abc import Collection, Sequence
from datetime import datetime

from duly_chassis.addresses import address_digest
from duly_contracts.signals import DeliveryReportedV1
from messenger.blocks.block_list import Message
from messenger.blocks.rows import Blocks
from messenger.domain import Change
from messenger.sending.rows import outreach
from messenger.settling.reports import ARRIVED, Standing


class Reported(Blocks):
    """Reports beside the ledger, inside one transaction."""

    async def lock_reported(self, messages: Collection[Message]) -> dict[Message, Standing]:
        """Lock these messages, in order, and return how they stand; a tenant that has no such message gets none."""
        wanted = sorted(messages)
        rows = await self._connection.fetch(
            """
            SELECT l.*, c.zone,
                   EXISTS (SELECT FROM reports AS r
                            WHERE r.tenant_id = l.tenant_id AND r.outreach_id = l.outreach_id
                              AND r.provider_id = l.provider_id AND r.status = ANY($3::text[])) AS arrived
              FROM ledger AS l
              JOIN unnest($1::text[], $2::uuid[]) AS t (tenant_id, outreach_id)
                ON l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id
              LEFT JOIN contacts AS c ON c.tenant_id = l.tenant_id AND c.person_id = l.person_id
             ORDER BY l.tenant_id, l.outreach_id
               FOR UPDATE OF l
            """,
            [tenant for tenant, _ in wanted],
            [outreach_id for _, outreach_id in wanted],
            sorted(ARRIVED),
        )
        return {
            (row["tenant_id"], row["outreach_id"]): Standing(
                outreach(row), row["channel"], row["provider_id"], row["arrived"], row["zone"]
            )
            for row in rows
        }

    async def numbers_of(self, told: Sequence[DeliveryReportedV1]) -> list[tuple[str, str]]:
        """Return tenant and number of messages that a provider did not bring because of a STOP, if it is still theirs.

        A report that was taken before says nothing: meanwhile they may have come back.
        """
        rows = await self._connection.fetch(
            """
            SELECT l.tenant_id, l.person_id, c.mobile, h.address_digest
              FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[])
                   AS t (tenant_id, outreach_id, provider_id, status)
              JOIN ledger AS l ON l.tenant_id = t.tenant_id AND l.outreach_id = t.outreach_id AND l.channel = 'sms'
              JOIN contacts AS c ON c.tenant_id = l.tenant_id AND c.person_id = l.person_id AND c.mobile IS NOT NULL
             CROSS JOIN LATERAL (SELECT address_digest FROM ledger_history AS p
                                  WHERE p.tenant_id = l.tenant_id AND p.outreach_id = l.outreach_id
                                    AND p.state = 'posting'
                                  ORDER BY p.id DESC LIMIT 1) AS h
             WHERE NOT EXISTS (SELECT FROM reports AS r
                                WHERE r.tenant_id = t.tenant_id AND r.outreach_id = t.outreach_id
                                  AND r.provider_id = t.provider_id AND r.status = t.status)
            """,
            [one.tenant_id for one in told],
            [one.outreach_id for one in told],
            [one.provider_id for one in told],
            [one.status for one in told],
        )
        return [
            (row["tenant_id"], row["mobile"])
            for row in rows
            if row["address_digest"] == address_digest(row["tenant_id"], row["person_id"], row["mobile"])
        ]

    async def note_reports(
        self, told: Sequence[DeliveryReportedV1], known: Collection[Message]
    ) -> set[tuple[str, str, str, str]]:
        """Write reports down; return those not taken before: tenant, outreach, the provider's id, status."""
        rows = await self._connection.fetch(
            """
            INSERT INTO reports (tenant_id, outreach_id, provider_id, status, code, known, at)
            SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[],
                                 $7::timestamptz[])
                ON CONFLICT DO NOTHING
            RETURNING tenant_id, outreach_id, provider_id, status
            """,
            [one.tenant_id for one in told],
            [one.outreach_id for one in told],
            [one.provider_id for one in told],
            [one.status for one in told],
            [one.code for one in told],
            [(one.tenant_id, one.outreach_id) in known for one in told],
            [one.occurred_at for one in told],
        )
        return {(row["tenant_id"], str(row["outreach_id"]), row["provider_id"], row["status"]) for row in rows}

    async def tell_all(self, changes: Sequence[Change], now: datetime) -> None:
        """Add lines to messages' stories; their rows stay as they are."""
        if changes:
            await self._history(changes, now)
