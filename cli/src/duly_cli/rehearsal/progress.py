"""The stored driven instant: what lets a killed rehearsal go on where it stood."""

from datetime import datetime
from hashlib import blake2b

import asyncpg

from duly_chassis.plain import PlainError
from duly_cli.rehearsal.play import Play
from duly_contracts.envelope import ENCODER


class OtherPlay(PlainError):
    """The state folder holds another play; the text says so in plain words."""


class Progress:
    """One row in the state's database: which play, how far, and the seconds spent on it."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: asyncpg.Connection[asyncpg.Record]

    async def open(self, fingerprint: str) -> tuple[datetime | None, float]:
        """Return the instant reached and the seconds spent before; raises OtherPlay."""
        self._connection = await asyncpg.connect(self._database_url)
        await self._connection.execute(
            """
            CREATE SCHEMA IF NOT EXISTS rehearsal;
            CREATE TABLE IF NOT EXISTS rehearsal.progress (
                id          int              PRIMARY KEY CHECK (id = 1),
                fingerprint text             NOT NULL,
                instant     timestamptz,
                spent_s     double precision NOT NULL
            );
            """
        )
        row = await self._connection.fetchrow(
            """
            INSERT INTO rehearsal.progress AS p (id, fingerprint, spent_s) VALUES (1, $1, 0)
                ON CONFLICT (id) DO UPDATE SET id = p.id
            RETURNING fingerprint, instant, spent_s
            """,
            fingerprint,
        )
        if row is None or row["fingerprint"] != fingerprint:
            self.close()
            raise OtherPlay("this state belongs to another play: give another --state, or the same input as before")
        return row["instant"], row["spent_s"]

    async def reach(self, instant: datetime, spent_s: float) -> None:
        """Store the instant before the clock is set to it."""
        await self._connection.execute("UPDATE rehearsal.progress SET instant = $1, spent_s = $2", instant, spent_s)

    def close(self) -> None:
        """Disconnect."""
        self._connection.terminate()


def fingerprint(play: Play, way: str) -> str:
    """Name a play by all that is in it and by its channel, so that a state is never continued with others."""
    digest = blake2b(f"{way} {play.policy!r}".encode(), digest_size=16)
    for fact in play.facts:
        digest.update(f"{fact.instant.isoformat()}{fact.source}{fact.event_id}".encode())
        digest.update(ENCODER.encode(fact.event))
    return f"{play.tenant_id}:{digest.hexdigest()}"
