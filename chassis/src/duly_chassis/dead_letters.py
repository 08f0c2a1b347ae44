"""Records that could not be applied, whole and with the reason; a table only, so personal data has one retention.

Here is what workers do with them: write them down, and settle them on a person's word. They cannot read the bytes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from aiokafka.structs import ConsumerRecord

from duly_chassis.database import Connection
from duly_contracts import limits
from duly_contracts.decode import single
from duly_contracts.refusals import Refused

Raw = ConsumerRecord[bytes | None, bytes | None]

KILLS = "kills-the-process"
"""The reason of a record over which the process has died; whoever looks at its bytes may die too."""
TENANT = re.compile(rb"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record and why it lies here. `fingerprint` groups those of one cause."""

    record: Raw
    reason: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters a person means: one, or all of one cause; a tenant's, or everybody's."""

    letter_id: int | None = None
    cause: str | None = None
    tenant_id: str | None = None


async def put(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Store dead letters, in the transaction that passes their records by; a known one stays as it is."""
    if not letters:
        return
    records = [letter.record for letter in letters]
    await connection.execute(
        """
        INSERT INTO dead_letters (topic, partition, "offset", epoch, key, headers, value,
                                  reason, fingerprint, tenant_id)
        SELECT t.topic, t.partition, t."offset", o.epoch, t.key, t.headers, t.value,
               t.reason, t.fingerprint, t.tenant_id
          FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[],
                      $8::text[], $9::text[])
               AS t (topic, partition, "offset", key, headers, value, reason, fingerprint, tenant_id)
          JOIN consumer_offsets AS o ON o.topic = t.topic AND o.partition = t.partition
            ON CONFLICT DO NOTHING
        """,
        [record.topic for record in records],
        [record.partition for record in records],
        [record.offset for record in records],
        [record.key for record in records],
        [msgspec.msgpack.encode([(name, bytes(value or b"")) for name, value in record.headers]) for record in records],
        [record.value for record in records],
        [letter.reason for letter in letters],
        [letter.fingerprint for letter in letters],
        [whose(letter.record) if letter.reason != KILLS else None for letter in letters],
    )


def whose(record: Raw) -> str | None:
    """Return the tenant that header, key and value all name; None: nobody's, only an operator may see it.

    One of them alone is a claim of the sender's, and a wrong one would show a tenant another's data.
    """
    found, doubled = single(record.headers)
    tenant = found.get("ce_tenantid") or b""
    if doubled or TENANT.fullmatch(tenant) is None or not (record.key or b"").startswith(tenant + b"/"):
        return None
    try:
        limits.check(record.value or b"")
        tree = limits.tree((record.value or b"").decode())
    except Refused:
        return None
    named = tree.get("tenant_id") if isinstance(tree, dict) else None
    return named if named == tenant.decode() else None


async def lock(connection: Connection, letter_ids: Sequence[int]) -> set[int]:
    """Lock those of these letters that are still open and return them; two replays take turns."""
    rows = await connection.fetch(
        "SELECT id FROM dead_letters WHERE id = ANY($1::bigint[]) AND state = 'open' ORDER BY id FOR UPDATE", letter_ids
    )
    return {row["id"] for row in rows}


async def replayed(connection: Connection, letter_ids: Sequence[int], by: str) -> None:
    """Settle letters whose records are now applied, in the transaction that applied them."""
    await connection.execute(
        """
        UPDATE dead_letters
           SET state = 'replayed', settled_at = clock_timestamp(), settled_by = $2,
               replay_count = replay_count + 1, replayed_at = clock_timestamp()
         WHERE id = ANY($1::bigint[])
        """,
        letter_ids,
        by,
    )


async def failed_again(connection: Connection, letters: Mapping[int, DeadLetter]) -> None:
    """Keep letters open whose records could not be applied this time either, each with what was wrong now."""
    await connection.execute(
        """
        UPDATE dead_letters AS d
           SET reason = t.reason, fingerprint = t.fingerprint,
               replay_count = replay_count + 1, replayed_at = clock_timestamp()
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (id, reason, fingerprint)
         WHERE d.id = t.id
        """,
        list(letters),
        [letter.reason for letter in letters.values()],
        [letter.fingerprint for letter in letters.values()],
    )


async def discard(connection: Connection, chosen: Chosen, by: str, reason: str) -> int:
    """Give up the open ones of these letters, on the word of a named person; returns how many those were."""
    done = await connection.execute(
        """
        UPDATE dead_letters
           SET state = 'discarded', settled_at = clock_timestamp(), settled_by = $4, settled_reason = $5
         WHERE state = 'open' AND (id = $1 OR cause = $2) AND ($3::text IS NULL OR tenant_id = $3)
        """,
        chosen.letter_id,
        chosen.cause,
        chosen.tenant_id,
        by,
        reason,
    )
    return int(done.rsplit(" ", 1)[-1])
