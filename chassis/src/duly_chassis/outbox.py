"""Events on their way out: written with the state they follow from, published afterwards by the relay."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from duly_chassis.database import Connection
from duly_chassis.work import Outgoing
from duly_contracts.envelope import Headers, seal
from duly_contracts.traces import begun

ENCODER = msgspec.json.Encoder()
PUT_MAX = 5_000  # events a statement; a whole roster at once would hold the loop for seconds
DECODER = msgspec.json.Decoder(list[tuple[str, str]])


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that is committed and not yet known to be published."""

    id: int
    topic: str
    key: bytes
    headers: Headers
    value: bytes


async def put(connection: Connection, source: str, outgoing: Sequence[Outgoing]) -> None:
    """Write events into the outbox, in the order they were emitted."""
    for start in range(0, len(outgoing), PUT_MAX):
        await _put(connection, source, outgoing[start : start + PUT_MAX])


async def _put(connection: Connection, source: str, outgoing: Sequence[Outgoing]) -> None:
    sealed = [
        seal(event, str(event_id), source, because or begun(source, str(event_id)))
        for event_id, event, because in outgoing
    ]
    await connection.execute(
        """
        INSERT INTO outbox (topic, key, headers, value)
        SELECT * FROM unnest($1::text[], $2::bytea[], $3::json[], $4::bytea[])
        """,
        [record.topic for record in sealed],
        [record.key for record in sealed],
        [ENCODER.encode([(name, value.decode()) for name, value in record.headers]).decode() for record in sealed],
        [record.value for record in sealed],
    )


async def waiting(connection: Connection, limit: int) -> list[Waiting]:
    """Return the oldest unpublished events; whoever asks holds the relay's lock, so nobody else has them."""
    rows = await connection.fetch(
        """
        SELECT id, topic, key, headers, value
          FROM outbox
         WHERE published_at IS NULL
         ORDER BY id
         LIMIT $1
        """,
        limit,
    )
    return [
        Waiting(
            row["id"],
            row["topic"],
            row["key"],
            tuple((name, value.encode()) for name, value in DECODER.decode(row["headers"])),
            row["value"],
        )
        for row in rows
    ]


async def mark_published(connection: Connection, ids: Sequence[int]) -> None:
    """Note that the broker has acknowledged these events."""
    await connection.execute("UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY($1::bigint[])", ids)
