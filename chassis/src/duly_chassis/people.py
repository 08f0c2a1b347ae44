"""The replica of people that deciding services keep: id, zone, locale, manager and status; never an address."""

from collections.abc import Iterable, Sequence

import asyncpg

from duly_chassis.database import Connection
from duly_contracts.decode import Fact
from duly_contracts.people import PersonRecordedV1


def newest(facts: Sequence[Fact[PersonRecordedV1]]) -> list[Fact[PersonRecordedV1]]:
    """Keep each person's record with the highest version; one statement may not touch a row twice."""
    latest: dict[str, Fact[PersonRecordedV1]] = {}
    for fact in facts:
        known = latest.get(fact.data.key)
        if known is None or fact.data.version > known.data.version:
            latest[fact.data.key] = fact
    return [latest[key] for key in sorted(latest)]


async def save(connection: Connection, facts: Sequence[Fact[PersonRecordedV1]]) -> None:
    """Take over these records where they are newer; the version guards, for compacted topics have no inbox."""
    records = [fact.data for fact in newest(facts)]
    await connection.execute(
        """
        INSERT INTO people AS p (tenant_id, person_id, version, status, zone, locale, manager_id,
                                 department, role, location, occurred_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                             $8::text[], $9::text[], $10::text[], $11::timestamptz[])
            ON CONFLICT (tenant_id, person_id) DO UPDATE
           SET version = EXCLUDED.version, status = EXCLUDED.status, zone = EXCLUDED.zone, locale = EXCLUDED.locale,
               manager_id = EXCLUDED.manager_id, department = EXCLUDED.department, role = EXCLUDED.role,
               location = EXCLUDED.location, occurred_at = EXCLUDED.occurred_at, recorded_at = now()
         WHERE p.version < EXCLUDED.version
        """,
        [record.tenant_id for record in records],
        [record.person_id for record in records],
        [record.version for record in records],
        [record.status for record in records],
        [record.zone for record in records],
        [record.locale for record in records],
        [record.manager_id for record in records],
        [record.department for record in records],
        [record.role for record in records],
        [record.location for record in records],
        [record.occurred_at for record in records],
    )


async def load(connection: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], asyncpg.Record]:
    """Return what is known of these people, by tenant and person; who is unknown is missing."""
    wanted = sorted(set(keys))
    rows = await connection.fetch(
        """
        SELECT p.tenant_id, p.person_id, p.status, p.zone, p.locale, p.manager_id
          FROM people AS p
          JOIN unnest($1::text[], $2::text[]) AS t (tenant_id, person_id)
            ON p.tenant_id = t.tenant_id AND p.person_id = t.person_id
        """,
        [tenant for tenant, _ in wanted],
        [person for _, person in wanted],
    )
    return {(row["tenant_id"], row["person_id"]): row for row in rows}
