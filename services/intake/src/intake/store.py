"""The SQL of intake: what came in, once each, and what waits for a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from duly_chassis.work import Work
from intake.domain import Press, Report

PURGE_CALLBACKS = """
    DELETE FROM callbacks WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM callbacks WHERE recorded_at < $1 AND said <> 'start' LIMIT $2))
"""
PURGE_PRESSES = """
    DELETE FROM presses WHERE ctid = ANY(ARRAY(SELECT ctid FROM presses WHERE recorded_at < $1 LIMIT $2))
"""
PURGE_WORDS = """
    DELETE FROM reviews WHERE ctid = ANY(ARRAY(SELECT ctid FROM reviews WHERE recorded_at < $1 LIMIT $2))
"""


class Start(NamedTuple):
    """A START that waits for a person's word."""

    tenant_id: str
    number_digest: str
    key_mark: str
    at: datetime


class Store(Work):
    """Everything intake keeps, inside one transaction."""

    async def keep_report(self, report: Report, now: datetime) -> bool:
        """Write a provider's report down; False when this status of this message was taken before."""
        written: bool | None = await self._connection.fetchval(
            """
            INSERT INTO callbacks (tenant_id, edge, key, said, code, outreach_id, at)
            VALUES ($1, 'twilio_status', $2, $3, $4, $5, $6)
                ON CONFLICT DO NOTHING
            RETURNING true
            """,
            report.tenant_id,
            f"{report.provider_id}/{report.status}",
            report.status,
            report.code,
            report.outreach_id,
            now,
        )
        return written is True

    async def keep_text(
        self, tenant_digests: Sequence[tuple[str, str]], key: str, said: str, word_class: str, now: datetime
    ) -> set[str]:
        """Write a text down, without its words, for each tenant; return those for whom it is new."""
        rows = await self._connection.fetch(
            """
            INSERT INTO callbacks (tenant_id, edge, key, said, code, number_digest, at)
            SELECT t.tenant_id, 'twilio_inbound', $3, $4, $5, t.number_digest, $6
              FROM unnest($1::text[], $2::text[]) AS t (tenant_id, number_digest)
             ORDER BY t.tenant_id
                ON CONFLICT DO NOTHING
            RETURNING tenant_id
            """,
            [tenant for tenant, _ in tenant_digests],
            [digest for _, digest in tenant_digests],
            key,
            said,
            word_class,
            now,
        )
        return {row["tenant_id"] for row in rows}

    async def keep_words(
        self, tenant_digests: Sequence[tuple[str, str]], key: str, word_class: str, words: str, now: datetime
    ) -> None:
        """Keep the words of a text that a person should read, for each tenant."""
        await self._connection.execute(
            """
            INSERT INTO reviews (tenant_id, key, number_digest, word_class, words, at)
            SELECT t.tenant_id, $3, t.number_digest, $4, $5, $6
              FROM unnest($1::text[], $2::text[]) AS t (tenant_id, number_digest)
             ORDER BY t.tenant_id
                ON CONFLICT DO NOTHING
            """,
            [tenant for tenant, _ in tenant_digests],
            [digest for _, digest in tenant_digests],
            key,
            word_class,
            words,
            now,
        )

    async def await_word(
        self, tenant_digests: Sequence[tuple[str, str]], key_mark: str, now: datetime, lapses_at: datetime
    ) -> None:
        """Have a START wait for a person's word, for each tenant; a later one waits anew."""
        await self._connection.execute(
            """
            INSERT INTO starts AS s (tenant_id, number_digest, key_mark, at, next_due_at)
            SELECT t.tenant_id, t.number_digest, $3, $4, $5
              FROM unnest($1::text[], $2::text[]) AS t (tenant_id, number_digest)
             ORDER BY t.tenant_id
                ON CONFLICT (tenant_id, number_digest) DO UPDATE
               SET key_mark = EXCLUDED.key_mark, at = EXCLUDED.at, next_due_at = EXCLUDED.next_due_at
            """,
            [tenant for tenant, _ in tenant_digests],
            [digest for _, digest in tenant_digests],
            key_mark,
            now,
            lapses_at,
        )

    async def forget_starts(self, tenant_digests: Sequence[tuple[str, str]]) -> list[Start]:
        """Take these waiting STARTs away, and return those that were there: STOP came, or a person decided."""
        rows = await self._connection.fetch(
            """
            DELETE FROM starts AS s
             USING unnest($1::text[], $2::text[]) AS t (tenant_id, number_digest)
             WHERE s.tenant_id = t.tenant_id AND s.number_digest = t.number_digest
            RETURNING s.tenant_id, s.number_digest, s.key_mark, s.at
            """,
            [tenant for tenant, _ in tenant_digests],
            [digest for _, digest in tenant_digests],
        )
        return [Start(*row) for row in rows]

    async def claim(self, now: datetime, limit: int) -> list[Start]:
        """Claim waiting STARTs that nobody confirmed in time."""
        rows = await self._connection.fetch(
            """
            SELECT tenant_id, number_digest, key_mark, at
              FROM starts
             WHERE next_due_at <= $1
             ORDER BY next_due_at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
            """,
            now,
            limit,
        )
        return [Start(*row) for row in rows]

    async def keep_press(self, press: Press, now: datetime) -> bool:
        """Write a press in Slack down; False when it was taken before."""
        written: bool | None = await self._connection.fetchval(
            """
            INSERT INTO presses (tenant_id, key, workspace, user_id, facts, at)
            VALUES ($1, $2, $3, $4, $5::jsonb, $6)
                ON CONFLICT DO NOTHING
            RETURNING true
            """,
            press.tenant_id,
            press.key,
            press.workspace,
            press.user_id,
            press.facts,
            now,
        )
        return written is True

    async def close_review(self, tenant_id: str, key: str) -> str | None:
        """Forget the words of a text that a person has read; return the digest of its number, or None."""
        digest: str | None = await self._connection.fetchval(
            "DELETE FROM reviews WHERE tenant_id = $1 AND key = $2 RETURNING number_digest", tenant_id, key
        )
        return digest

    async def decide(self, tenant_id: str, digest: str, decision: str, who: str, why: str, now: datetime) -> None:
        """Write down what was decided, by whom and why."""
        await self._connection.execute(
            """
            INSERT INTO decisions (tenant_id, number_digest, decision, who, why, at) VALUES ($1, $2, $3, $4, $5, $6)
            """,
            tenant_id,
            digest,
            decision,
            who,
            why,
            now,
        )
