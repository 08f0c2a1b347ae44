"""Records that could not be applied, whole and with the reason; a table only, so personal data has one retention."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from aiokafka.structs import ConsumerRecord

from duly_chassis.database import Connection

Raw = ConsumerRecord[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record and why it lies here. `fingerprint` groups those of one cause."""

    record: Raw
    reason: str
    fingerprint: str


async def put(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Store dead letters, in the transaction that passes their records by; a known one stays as it is."""
    if not letters:
        return
    records = [letter.record for letter in letters]
    await connection.execute(
        """
        INSERT INTO dead_letters (topic, partition, "offset", epoch, key, headers, value, reason, fingerprint)
        SELECT t.topic, t.partition, t."offset", o.epoch, t.key, t.headers, t.value, t.reason, t.fingerprint
          FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[],
                      $8::text[])
               AS t (topic, partition, "offset", key, headers, value, reason, fingerprint)
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
    )
