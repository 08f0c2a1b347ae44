"""The SQL of the block list: asked first when a text is claimed, and again at the gate (S-68).

The lock is an advisory one on the digest, for a number that nobody blocked has no row that could be locked. Who blocks
takes it alone and waits for gates; a gate shares it and never waits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from duly_chassis.database import Connection
from messenger.blocks.block_list import BACK, NUMBER_BLOCKED, Message, Word
from messenger.bounces.returned import Returned

Wanted = Mapping[Message, Sequence[str]]
"""Messages that are about to go, each with every digest of its number."""


def lock_of(digest: str) -> int:
    """Return the advisory lock of a digest; one that two digests share costs a wait, no more."""
    return int(digest[:16], 16) - 2**63


async def blocked(connection: Connection, wanted: Wanted) -> set[Message]:
    """Return the messages whose number is blocked, as committed now."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT t.tenant_id, t.outreach_id
          FROM unnest($1::text[], $2::uuid[], $3::text[]) AS t (tenant_id, outreach_id, number_digest)
          JOIN blocks AS b ON b.tenant_id = t.tenant_id AND b.number_digest = t.number_digest AND b.blocked
        """,
        *_columns(wanted),
    )
    return {(row["tenant_id"], row["outreach_id"]) for row in rows}


async def shut(connection: Connection, wanted: Wanted) -> set[Message]:
    """Share the locks of these numbers for this transaction, and return the messages that must not go.

    These are the blocked ones, and those whose number somebody is just blocking. From here on no block commits before
    this transaction has ended. Two statements: what is read must be read after the locks are held.
    """
    tenants, ids, numbers = _columns(wanted)
    rows = await connection.fetch(
        """
        SELECT t.tenant_id, t.outreach_id, pg_try_advisory_xact_lock_shared(t.lock) AS held
          FROM unnest($1::text[], $2::uuid[], $3::bigint[]) AS t (tenant_id, outreach_id, lock)
        """,
        tenants,
        ids,
        [lock_of(digest) for digest in numbers],
    )
    busy = {(row["tenant_id"], row["outreach_id"]) for row in rows if not row["held"]}
    return busy | await blocked(connection, wanted)


def _columns(wanted: Wanted) -> tuple[list[str], list[UUID], list[str]]:
    flat = [(tenant, outreach_id, digest) for (tenant, outreach_id), found in wanted.items() for digest in found]
    return [one[0] for one in flat], [one[1] for one in flat], [one[2] for one in flat]


class Blocks(Returned):
    """Words on numbers beside the ledger, inside one transaction."""

    async def lock_numbers(self, numbers: Sequence[str]) -> None:
        """Take the locks of these digests alone, in order, and wait for the gates that share them."""
        await self._connection.execute(
            """
            SELECT pg_advisory_xact_lock(l.lock)
              FROM (SELECT DISTINCT t.lock FROM unnest($1::bigint[]) AS t (lock) ORDER BY t.lock) AS l
            """,
            [lock_of(digest) for digest in numbers],
        )

    async def save_words(self, words: Sequence[Word], story: Sequence[Word]) -> None:
        """Write the last words on these numbers, each once, where they are the last there are; and the whole story.

        Before any ledger row is locked: who takes the locks of numbers waits for nobody who holds a row and wants them.
        This commit is the one that no send may follow: it holds the locks that gates share.
        """
        if not words:
            return
        await self.lock_numbers([one.number_digest for one in words])
        await self._connection.execute(
            """
            INSERT INTO blocks AS b (tenant_id, number_digest, key_mark, blocked, since, word_class, who, why)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::timestamptz[], $6::text[],
                                 $7::text[], $8::text[])
                ON CONFLICT (tenant_id, number_digest) DO UPDATE
               SET key_mark = EXCLUDED.key_mark, blocked = EXCLUDED.blocked, since = EXCLUDED.since,
                   word_class = EXCLUDED.word_class, who = EXCLUDED.who, why = EXCLUDED.why, recorded_at = now()
             WHERE b.since < EXCLUDED.since OR (b.since = EXCLUDED.since AND (EXCLUDED.blocked OR EXCLUDED.who <> ''))
            """,
            *_of_words(words),
        )
        await self._connection.execute(
            """
            INSERT INTO blocks_history (tenant_id, number_digest, blocked, at, word_class, who, why)
            SELECT t.tenant_id, t.number_digest, t.blocked, t.at, t.word_class, t.who, t.why
              FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::timestamptz[], $6::text[], $7::text[],
                          $8::text[])
                   AS t (tenant_id, number_digest, key_mark, blocked, at, word_class, who, why)
            """,
            *_of_words(story),
        )

    async def wake_blocked(self, tenants: Sequence[str], now: datetime) -> None:
        """Look again at texts of these tenants that wait at a blocked number: one of the numbers came back."""
        await self._connection.execute(
            """
            UPDATE ledger SET next_due_at = least(next_due_at, $3)
             WHERE tenant_id = ANY($1::text[]) AND state = 'due' AND reason = $2
            """,
            tenants,
            NUMBER_BLOCKED,
            now,
        )

    async def lock_block(self, tenant_id: str, digest: str) -> asyncpg.Record | None:
        """Lock and return a number's block, if this tenant has it blocked."""
        return await self._connection.fetchrow(
            """
            SELECT number_digest, key_mark, since FROM blocks
             WHERE tenant_id = $1 AND number_digest = $2 AND blocked
               FOR UPDATE
            """,
            tenant_id,
            digest,
        )

    async def stopped_by_owner(self, tenant_id: str, digest: str, classes: Sequence[str]) -> bool:
        """Tell whether a word of these classes was said since the number's last START; no lift takes one back."""
        said: bool = await self._connection.fetchval(
            """
            SELECT EXISTS (SELECT FROM blocks_history AS h
                            WHERE h.tenant_id = $1 AND h.number_digest = $2 AND h.blocked
                              AND h.word_class = ANY($3::text[])
                              AND h.at >= coalesce((SELECT max(s.at) FROM blocks_history AS s
                                                     WHERE s.tenant_id = $1 AND s.number_digest = $2
                                                       AND s.word_class = $4), '-infinity'))
            """,
            tenant_id,
            digest,
            classes,
            BACK,
        )
        return said

    async def save_keys(self, marks: Sequence[str]) -> None:
        """Note the keys that digests are compared with from now on."""
        await self._connection.execute("DELETE FROM block_keys WHERE key_mark <> ALL($1::text[])", marks)
        await self._connection.execute(
            "INSERT INTO block_keys SELECT DISTINCT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING", marks
        )


def _of_words(words: Sequence[Word]) -> tuple[list[object], ...]:
    return (
        [one.tenant_id for one in words],
        [one.number_digest for one in words],
        [one.key_mark for one in words],
        [one.blocked for one in words],
        [one.at for one in words],
        [one.word_class for one in words],
        [one.who for one in words],
        [one.why for one in words],
    )
