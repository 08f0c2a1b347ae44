"""How far each partition was applied, stored with the results: a redelivered batch changes nothing.

Cluster id and epoch stand beside the offset, so that a rebuilt broker, whose offsets start again at 0, is noticed
instead of being taken for a long redelivery.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import asyncpg

from duly_chassis.database import Connection

Partition = tuple[str, int]


class Stored(NamedTuple):
    """How far a partition was applied: the next offset, in which epoch, and in which cluster it is counted."""

    next_offset: int
    epoch: int
    cluster_id: str | None


NOTHING = Stored(0, 0, None)
"""What is stored of a partition of which nothing was applied yet."""


async def lock(connection: Connection, partitions: Iterable[Partition]) -> dict[Partition, Stored]:
    """Lock these partitions' rows and return what each expects next.

    The lock makes a fenced-off consumer and its successor take turns: whoever comes second sees the first's offset.
    """
    topics, numbers = zip(*sorted(partitions), strict=True)
    query = """
        SELECT topic, partition, next_offset, epoch, cluster_id
          FROM consumer_offsets
         WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::int[]))
         ORDER BY topic, partition
           FOR UPDATE
    """
    rows = await connection.fetch(query, topics, numbers)
    if len(rows) < len(topics):
        await connection.execute(
            """
            INSERT INTO consumer_offsets (topic, partition, next_offset)
            SELECT topic, partition, 0 FROM unnest($1::text[], $2::int[]) AS t (topic, partition)
                ON CONFLICT DO NOTHING
            """,
            topics,
            numbers,
        )
        rows = await connection.fetch(query, topics, numbers)
    return _by_place(rows)


async def advance(connection: Connection, reached: Mapping[Partition, int]) -> None:
    """Store the next offset of each partition, in the transaction of what was applied."""
    await connection.execute(
        """
        UPDATE consumer_offsets AS o
           SET next_offset = t.next_offset, updated_at = clock_timestamp()
          FROM unnest($1::text[], $2::int[], $3::bigint[]) AS t (topic, partition, next_offset)
         WHERE o.topic = t.topic AND o.partition = t.partition
        """,
        [topic for topic, _ in reached],
        [number for _, number in reached],
        list(reached.values()),
    )


async def stored(connection: Connection) -> dict[Partition, Stored]:
    """Return how far every partition was applied."""
    return _by_place(
        await connection.fetch("SELECT topic, partition, next_offset, epoch, cluster_id FROM consumer_offsets")
    )


async def adopt(connection: Connection, cluster_id: str) -> None:
    """Name the cluster for partitions that were counted before it was known."""
    await connection.execute("UPDATE consumer_offsets SET cluster_id = $1 WHERE cluster_id IS NULL", cluster_id)


async def open_epoch(connection: Connection, partitions: Iterable[Partition], cluster_id: str) -> None:
    """Count these partitions from 0 again; event ids still guard what was applied in the epoch before."""
    topics, numbers = zip(*sorted(partitions), strict=True)
    await connection.execute(
        """
        UPDATE consumer_offsets
           SET next_offset = 0, cluster_id = $3, epoch = epoch + 1, updated_at = clock_timestamp()
         WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::int[]))
        """,
        topics,
        numbers,
        cluster_id,
    )


def _by_place(rows: Iterable[asyncpg.Record]) -> dict[Partition, Stored]:
    return {
        (row["topic"], row["partition"]): Stored(row["next_offset"], row["epoch"], row["cluster_id"]) for row in rows
    }
