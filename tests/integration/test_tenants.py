"""Tenants never meet: the catalogue of every service's schema, and readers that share one connection."""

import asyncio
import random

import asyncpg
import pytest

from duly_chassis import entries
from tests.support import databases, toy
from tests.support.bench import Bench
from tests.support.records import Tape, assigned, person

pytestmark = pytest.mark.connected

INTERLEAVINGS = 10_000
READERS_AT_ONCE = 8
SCHEMAS = [entry.name for entry in (*entries.every(), toy.ENTRY)]
TABLES = """
    SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner) AS owner,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS of_tenants,
           EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'one_tenant') AS policy,
           EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                    WHERE i.indrelid = c.oid AND a.attname = 'tenant_id' AND i.indpred IS NULL) AS index
      FROM pg_class c
     WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
"""


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_every_table_with_a_tenant_is_guarded(database_url: str, schema: str) -> None:
    """SECURITY 10; K-10, I8: policy, FORCE, and an index that starts with the tenant; nobody who runs owns it."""
    async with databases.connected(database_url) as connection:
        tables = await connection.fetch(TABLES, schema)
    guarded = [table for table in tables if table["of_tenants"]]

    assert len(guarded) >= 3
    assert "dead_letters" in {table["relname"] for table in guarded}
    for table in guarded:
        found = [table[name] for name in ("relrowsecurity", "relforcerowsecurity", "policy", "index")]
        assert (table["relname"], found) == (table["relname"], [True] * 4)
    assert not {table["owner"] for table in tables} & {
        role for name in SCHEMAS for role in (name, f"{name}_reader", f"{name}_letters")
    }


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_reader_may_read_tenants_tables_only_and_the_roles_are_ordinary(database_url: str, schema: str) -> None:
    """SECURITY 10: NOBYPASSRLS, no rights on outbox, dead letters or offsets, no writing anywhere."""
    async with databases.connected(database_url) as connection:
        roles = await connection.fetch(
            """
            SELECT rolname, rolbypassrls, rolsuper, rolcanlogin, rolcreaterole FROM pg_roles
             WHERE rolname = ANY($1) ORDER BY rolname
            """,
            [schema, f"{schema}_letters", f"{schema}_reader"],
        )
        reader = f"{schema}_reader"
        tables = await connection.fetch(TABLES, schema)
        readable = {
            table["relname"]: await connection.fetchval(
                "SELECT has_table_privilege($1, $2::oid, 'SELECT')", reader, table["oid"]
            )
            for table in tables
        }
        writable = [
            table["relname"]
            for table in tables
            if await connection.fetchval(
                "SELECT has_table_privilege($1, $2::oid, 'INSERT, UPDATE, DELETE')", reader, table["oid"]
            )
        ]

    assert [tuple(role) for role in roles] == [
        (schema, True, False, False, False),
        (f"{schema}_letters", False, False, False, False),
        (reader, False, False, False, False),
    ]
    assert {name for name, may in readable.items() if may} == {
        table["relname"] for table in tables if table["of_tenants"] or table["relname"] == "policies"
    } - {"dead_letters"}
    assert not any(readable[name] for name in ("outbox", "dead_letters", "consumer_offsets", "brakes", "health"))
    assert writable == []


async def test_reader_sees_nothing_without_a_tenant(toys: Bench) -> None:
    """SECURITY 10: '' and NULL are no tenant, also after a transaction that had one."""
    await toys.apply(Tape().record(assigned("a1"), "e1"))
    count = "SELECT count(*) FROM happened"
    async with toys.database.readers.acquire() as connection:
        assert await connection.fetchval(count) == 0
    async with toys.database.reading("acme") as connection:
        assert await connection.fetchval(count) == 1
    async with toys.database.readers.acquire() as connection:
        assert await connection.fetchval("SELECT current_setting('duly.tenant', true)") == ""
        assert await connection.fetchval(count) == 0


async def test_reader_cannot_write(toys: Bench) -> None:
    """SECURITY 10: whatever answers a person changes nothing."""
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with toys.database.reading("acme") as connection:
            await connection.execute("INSERT INTO happened VALUES (DEFAULT, 'acme', 'p', 'a', 'w', '')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with toys.database.readers.acquire() as connection:
            await connection.execute("DELETE FROM happened")


async def test_readers_who_share_one_connection_never_see_another_tenant(toys: Bench) -> None:
    """SECURITY 10; I8, K-10: 10,000 interleavings on a pool of one, some of them broken off: zero foreign rows."""
    chance = random.Random(20_260_301)  # noqa: S311 - a repeatable order, no secret
    tenants = [f"t{number}" for number in range(5)]
    tape = Tape()
    await toys.apply(*(tape.record(assigned(f"{one}-a", tenant_id=one), f"e-{one}") for one in tenants))
    seen = []

    async def read(tenant: str, *, breaks: bool) -> None:
        async with toys.database.reading(tenant) as connection:
            seen.append((tenant, await connection.fetchval("SELECT string_agg(assignment_id, ',') FROM happened")))
            if breaks:
                raise KeyError(tenant)

    async def reader(orders: list[tuple[str, bool]]) -> None:
        for tenant, breaks in orders:
            try:
                await read(tenant, breaks=breaks)
            except KeyError:
                continue

    orders = [(chance.choice(tenants), chance.random() < 0.05) for _ in range(INTERLEAVINGS)]
    await asyncio.gather(*(reader(orders[number::READERS_AT_ONCE]) for number in range(READERS_AT_ONCE)))

    assert len(seen) == INTERLEAVINGS
    assert [(tenant, rows) for tenant, rows in seen if rows != f"{tenant}-a"] == []


async def test_workers_keep_tenants_apart_who_use_the_same_ids(toys: Bench) -> None:
    """SECURITY 10; I8: one batch, mixed tenants, the same person, version and event ids."""
    tape, tenants = Tape(), [f"t{number}" for number in range(20)]
    records = [tape.record(person(2, tenant_id=one, zone=f"Zone/{one}"), "v2") for one in tenants]
    records += [tape.record(person(1, tenant_id=one), "v1") for one in tenants]
    records += [tape.record(assigned("a", one, tenant_id=one), "e1") for one in tenants]
    random.Random(1).shuffle(records)  # noqa: S311 - a repeatable order, no secret
    records.sort(key=lambda one: one.offset)
    await toys.apply(*records)

    assert await toys.column("SELECT zone FROM people WHERE zone <> 'Zone/' || tenant_id") == []
    assert await toys.column("SELECT title FROM happened WHERE title <> tenant_id") == []
    assert await toys.column("SELECT count(DISTINCT tenant_id) FROM happened") == [20]
