"""The SQL of those who look at dead letters: a role of its own, for the bytes are personal data (SECURITY 11).

Row-level security shows one tenant's, or everybody's to an operator; what belongs to nobody is the operator's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from aiokafka.structs import ConsumerRecord

from duly_chassis.database import Connection
from duly_chassis.dead_letters import Chosen, Raw

GROUPS_MAX = 200
SHOWN_MAX = 20
REPLAYED_AT_ONCE_MAX = 100
REPLAYED_BYTES_MAX = 8 * 1024 * 1024  # of values in memory at once; one letter is always taken
HEADERS = msgspec.msgpack.Decoder(list[tuple[str, bytes]])


@dataclass(frozen=True, slots=True)
class Stored:
    """A dead letter as it lies in the table."""

    id: int
    cause: str
    tenant_id: str | None
    epoch: int
    reason: str
    fingerprint: str
    received_at: datetime
    state: str
    replay_count: int
    settled_at: datetime | None
    settled_by: str | None
    settled_reason: str | None
    record: Raw


async def groups(connection: Connection, *, settled: bool) -> list[dict[str, Any]]:
    """Return the groups of cause, the largest first: what is open, and on wish what is settled too."""
    rows = await connection.fetch(
        """
        SELECT cause AS "group", min(reason) AS reason, min(fingerprint) AS fingerprint,
               array_agg(DISTINCT topic) AS topics,
               count(*) FILTER (WHERE state = 'open') AS open,
               count(*) FILTER (WHERE state = 'replayed') AS replayed,
               count(*) FILTER (WHERE state = 'discarded') AS discarded,
               min(received_at) AS first_seen, max(received_at) AS last_seen, max(replay_count) AS tries
          FROM dead_letters
         WHERE $1 OR state = 'open'
         GROUP BY cause
         ORDER BY count(*) FILTER (WHERE state = 'open') DESC, max(received_at) DESC
         LIMIT $2
        """,
        settled,
        GROUPS_MAX,
    )
    return [dict(row) for row in rows]


async def count(connection: Connection, chosen: Chosen) -> tuple[int, int]:
    """Count these letters: all, and the open ones."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS known, count(*) FILTER (WHERE state = 'open') AS open
          FROM dead_letters WHERE id = $1 OR cause = $2
        """,
        chosen.letter_id,
        chosen.cause,
    )
    return (row["known"], row["open"]) if row else (0, 0)


async def shown(connection: Connection, chosen: Chosen) -> list[Stored]:
    """Return these letters, the open and latest first, as many as a person reads."""
    rows = await connection.fetch(
        """
        SELECT * FROM dead_letters WHERE id = $1 OR cause = $2
         ORDER BY state = 'open' DESC, id DESC LIMIT $3
        """,
        chosen.letter_id,
        chosen.cause,
        SHOWN_MAX,
    )
    return [stored(row) for row in rows]


async def to_replay(connection: Connection, chosen: Chosen, after: int) -> list[Stored]:
    """Return the next open letters of these, oldest first, no more than memory should hold at once."""
    rows = await connection.fetch(
        """
        SELECT d.*
          FROM (SELECT id, row_number() OVER latest_last AS place, sum(octet_length(value)) OVER latest_last AS bytes
                  FROM dead_letters
                 WHERE state = 'open' AND id > $3 AND (id = $1 OR cause = $2)
                WINDOW latest_last AS (ORDER BY id)) AS s
          JOIN dead_letters AS d ON d.id = s.id
         WHERE s.place = 1 OR (s.place <= $4 AND s.bytes <= $5)
         ORDER BY d.id
        """,
        chosen.letter_id,
        chosen.cause,
        after,
        REPLAYED_AT_ONCE_MAX,
        REPLAYED_BYTES_MAX,
    )
    return [stored(row) for row in rows]


def stored(row: Any) -> Stored:
    """Make the record again from its bytes, as it came from Kafka."""
    record: Raw = ConsumerRecord(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        timestamp=0,
        timestamp_type=0,
        key=row["key"],
        value=row["value"],
        checksum=None,
        serialized_key_size=len(row["key"] or b""),
        serialized_value_size=len(row["value"] or b""),
        headers=header_pairs(row["headers"]),
    )
    own = {name: row[name] for name in Stored.__slots__ if name != "record"}
    return Stored(**own, record=record)


def header_pairs(packed: bytes) -> Sequence[tuple[str, bytes]]:
    """Unpack what `dead_letters.put` packed."""
    return tuple(HEADERS.decode(packed))
