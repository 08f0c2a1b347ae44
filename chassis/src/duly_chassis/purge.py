"""One loop that deletes what need not be kept, a bounded number of rows at a time (machine clock)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from duly_chassis.database import Database
from duly_chassis.service import Service, Step
from duly_chassis.settings import ServiceSettings

ROWS_MAX = 5000
INTERVAL_S = 60.0

STATEMENTS = {
    "inbox": """
        DELETE FROM inbox WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM inbox WHERE received_at < $1 LIMIT $2))
    """,
    "outbox": """
        DELETE FROM outbox WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM outbox WHERE published_at < $1 LIMIT $2))
    """,
    "dead_letters": """
        DELETE FROM dead_letters WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM dead_letters WHERE received_at < $1 LIMIT $2))
    """,
}


def step(service: Service[Any], settings: ServiceSettings, database: Database) -> Step:
    """Return one round of purging; another follows at once while a statement still finds its full number."""
    keep_days = {
        name.removeprefix("keep_").removesuffix("_days"): value
        for name, value in settings.model_dump().items()
        if name.startswith("keep_")
    }
    statements = {**STATEMENTS, **service.purges}

    async def once() -> bool:
        full = False
        for name, statement in statements.items():
            before = datetime.now(UTC) - timedelta(days=keep_days[name])  # machine clock: storage, not promises
            async with database.transaction() as connection:
                done = await connection.execute(statement, before, ROWS_MAX)
            full = full or int(done.rsplit(" ", 1)[-1]) >= ROWS_MAX
        return full

    return once
