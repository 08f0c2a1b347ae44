"""The SQL of what came back: its message, its address, and each bounce once."""

from datetime import datetime

from messenger.bounces.effects import Report
from messenger.bounces.return_path import Ticket
from messenger.domain import Change, Contact, Outreach
from messenger.sending.ledger import Ledger
from messenger.sending.rows import contact, outreach


class Returned(Ledger):
    """Bounces beside the ledger, inside one transaction. Locks the contact before the row, as its handler does."""

    async def tenant_of(self, ticket: Ticket) -> str | None:
        """Find the tenant of a return address by its hash, among those the ledger holds anything of.

        Steps from tenant to tenant through the key's index: as many look-ups as there are tenants, whatever the size.
        """
        tenant: str | None = await self._connection.fetchval(
            """
            WITH RECURSIVE tenants AS (
                (SELECT tenant_id FROM ledger ORDER BY tenant_id LIMIT 1)
                UNION ALL
                SELECT (SELECT l.tenant_id FROM ledger AS l
                         WHERE l.tenant_id > t.tenant_id ORDER BY l.tenant_id LIMIT 1)
                  FROM tenants AS t
                 WHERE t.tenant_id IS NOT NULL
            )
            SELECT t.tenant_id
              FROM tenants AS t
             WHERE substring(sha256(convert_to(t.tenant_id, 'UTF8')) FOR $2) = $1
             ORDER BY EXISTS (SELECT FROM ledger AS l WHERE l.tenant_id = t.tenant_id AND l.outreach_id = $3) DESC
             LIMIT 1
            """,
            ticket.tenant_hash,
            len(ticket.tenant_hash),
            ticket.outreach_id,
        )
        return tenant

    async def lock_message(
        self, tenant_id: str, ticket: Ticket
    ) -> tuple[Outreach, Contact | None, bytes | None] | None:
        """Lock the recipient's record, then the message; give both and the digest of where this attempt went."""
        near = await self._connection.fetchrow(
            """
            SELECT c.*
              FROM contacts AS c
             WHERE c.tenant_id = $1
               AND c.person_id = (SELECT person_id FROM ledger WHERE tenant_id = $1 AND outreach_id = $2)
               FOR UPDATE
            """,
            tenant_id,
            ticket.outreach_id,
        )
        row = await self._connection.fetchrow(
            "SELECT * FROM ledger WHERE tenant_id = $1 AND outreach_id = $2 FOR UPDATE", tenant_id, ticket.outreach_id
        )
        if row is None:
            return None
        digest: bytes | None = await self._connection.fetchval(
            """
            SELECT address_digest FROM ledger_history
             WHERE tenant_id = $1 AND outreach_id = $2 AND attempt = $3 AND state = 'posting'
             ORDER BY id DESC
             LIMIT 1
            """,
            tenant_id,
            ticket.outreach_id,
            ticket.attempt,
        )
        return outreach(row), None if near is None else contact(near), digest

    async def note(
        self, tenant_id: str, ticket: Ticket, digest: bytes, report: Report, known: bool, now: datetime
    ) -> bool:
        """Write a bounce down; False when this very one was taken before."""
        written: bool | None = await self._connection.fetchval(
            """
            INSERT INTO bounces (tenant_id, outreach_id, digest, attempt, kind, code, known, at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT DO NOTHING
            RETURNING true
            """,
            tenant_id,
            ticket.outreach_id,
            digest,
            ticket.attempt,
            report.kind.value,
            report.status,
            known,
            now,
        )
        return written is True

    async def tell(self, change: Change, now: datetime, who: str | None = None) -> None:
        """Add a line to a message's story; its row stays as it is."""
        await self._history([change], now, who)

    async def mark_dead(self, row: Outreach, digest: bytes, code: str, now: datetime) -> None:
        """Remember that nobody is at this address of the person, and which message told."""
        await self._connection.execute(
            """
            UPDATE contacts SET dead_digest = $3, dead_code = $4, dead_at = $5, dead_outreach = $6
             WHERE tenant_id = $1 AND person_id = $2
            """,
            row.tenant_id,
            row.person_id,
            digest,
            code,
            now,
            row.outreach_id,
        )

    async def revive(self, tenant_id: str, person_id: str) -> tuple[bool, Outreach | None]:
        """Forget that an address is dead; tell whether one was, and give the message that had told, if it is there."""
        found = await self._connection.fetchrow(
            """
            SELECT dead_outreach FROM contacts
             WHERE tenant_id = $1 AND person_id = $2 AND dead_digest IS NOT NULL
               FOR UPDATE
            """,
            tenant_id,
            person_id,
        )
        if found is None:
            return False, None
        await self._connection.execute(
            """
            UPDATE contacts SET dead_digest = NULL, dead_code = NULL, dead_at = NULL, dead_outreach = NULL
             WHERE tenant_id = $1 AND person_id = $2
            """,
            tenant_id,
            person_id,
        )
        row = await self._connection.fetchrow(
            "SELECT * FROM ledger WHERE tenant_id = $1 AND outreach_id = $2", tenant_id, found["dead_outreach"]
        )
        return True, None if row is None else outreach(row)
