"""A brake holds work, says why, and waits for a person. Time never releases it (RELIABILITY 8)."""

from datetime import datetime

from duly_chassis.database import Connection

DEAD_LETTERS = "dead-letters"
SHORT_LOG = "short-log"
LOST_RECORDS = "lost-records"


async def trip(connection: Connection, name: str, reason: str) -> None:
    """Hold the work this brake stands for; one that is already held keeps its first reason."""
    await connection.execute(
        """
        INSERT INTO brakes (name, reason) VALUES ($1, $2)
            ON CONFLICT (name) WHERE released_at IS NULL DO NOTHING
        """,
        name,
        reason,
    )


async def held(connection: Connection) -> list[tuple[str, str, datetime]]:
    """Return the brakes that hold now: name, reason, since when."""
    rows = await connection.fetch(
        "SELECT name, reason, tripped_at FROM brakes WHERE released_at IS NULL ORDER BY tripped_at"
    )
    return [(row["name"], row["reason"], row["tripped_at"]) for row in rows]


async def release(connection: Connection, name: str, released_by: str, reason: str) -> bool:
    """Let the work go on, on the word of a named person; returns whether there was anything to release."""
    done = await connection.fetchval(
        """
        UPDATE brakes SET released_at = clock_timestamp(), released_by = $2, release_reason = $3
         WHERE name = $1 AND released_at IS NULL
        RETURNING true
        """,
        name,
        released_by,
        reason,
    )
    return bool(done)
