"""Which facts were seen: the guard against one fact published twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from duly_chassis.database import Connection
from duly_contracts.decode import Fact

ROWS = msgspec.json.Encoder()


class Row(msgspec.Struct):
    """One row on its way to the database, all of them as one JSON text.

    asyncpg looks at each element of an array for half a microsecond, and this is the hottest statement of all.
    """

    tenant_id: str
    source: str
    event_id: str
    digest: int


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch after the inbox: new facts, and those whose id was seen before with other content."""

    fresh: list[Fact[Any]]
    conflicting: list[Fact[Any]]


async def take(connection: Connection, facts: Sequence[Fact[Any]]) -> Sorted:
    """Note these facts as seen and return the new ones, in their order.

    The claim is one INSERT, never a SELECT before an INSERT: two replicas cannot both find a fact new.
    """
    if not facts:
        return Sorted([], [])
    rows = await connection.fetch(
        """
        INSERT INTO inbox (tenant_id, source, event_id, digest)
        SELECT * FROM json_to_recordset($1::json) AS t (tenant_id text, source text, event_id text, digest bigint)
            ON CONFLICT DO NOTHING
        RETURNING tenant_id, source, event_id, digest
        """,
        ROWS.encode([Row(fact.data.tenant_id, fact.source, fact.id, fact.digest) for fact in facts]).decode(),
    )
    if len(rows) == len(facts):
        return Sorted(list(facts), [])
    new = {tuple(row) for row in rows}
    fresh, again = [], []
    for fact in facts:
        name = (fact.data.tenant_id, fact.source, fact.id, fact.digest)
        if name in new:
            new.remove(name)  # the same fact twice in one batch is new once
            fresh.append(fact)
        else:
            again.append(fact)
    return Sorted(fresh, await _conflicting(connection, again))


async def known(connection: Connection, facts: Sequence[Fact[Any]]) -> set[tuple[str, str, str]]:
    """Return which of these facts were seen before: tenant, source and event id."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT i.tenant_id, i.source, i.event_id
          FROM inbox AS i
          JOIN unnest($1::text[], $2::text[], $3::text[]) AS t (tenant_id, source, event_id)
            ON i.tenant_id = t.tenant_id AND i.source = t.source AND i.event_id = t.event_id
        """,
        [fact.data.tenant_id for fact in facts],
        [fact.source for fact in facts],
        [fact.id for fact in facts],
    )
    return {(row["tenant_id"], row["source"], row["event_id"]) for row in rows}


async def _conflicting(connection: Connection, again: Sequence[Fact[Any]]) -> list[Fact[Any]]:
    """Return those whose stored content differs from what came now."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT i.tenant_id, i.source, i.event_id, i.digest
          FROM inbox AS i
          JOIN unnest($1::text[], $2::text[], $3::text[]) AS t (tenant_id, source, event_id)
            ON i.tenant_id = t.tenant_id AND i.source = t.source AND i.event_id = t.event_id
        """,
        [fact.data.tenant_id for fact in again],
        [fact.source for fact in again],
        [fact.id for fact in again],
    )
    known = {(row["tenant_id"], row["source"], row["event_id"]): row["digest"] for row in rows}
    return [fact for fact in again if known.get((fact.data.tenant_id, fact.source, fact.id)) != fact.digest]
