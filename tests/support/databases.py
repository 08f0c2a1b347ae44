"""Fresh databases: one migrated template per run; a test gets a copy, or one that was emptied after another test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from duly_chassis import entries, migrate
from tests.support import toy

TEMPLATE = "ring_template"

SHAPE = """
    SELECT md5(string_agg(concat_ws('|', nspname, relname, relkind, relrowsecurity, relacl), ',' ORDER BY c.oid))
           || (SELECT count(*) FROM pg_proc) || (SELECT count(*) FROM pg_trigger) || (SELECT count(*) FROM pg_policy)
           || (SELECT count(*) FROM pg_attribute WHERE NOT attisdropped)
           || (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase <> 0)
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE nspname <> 'pg_toast' AND nspname !~ '^pg_temp'
"""
"""What a test may not change in a database that another is to get."""

EMPTY = """
DO $$
DECLARE
    found record;
    filled boolean;
BEGIN
    FOR found IN
        SELECT c.oid::regclass AS name
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname <> 'information_schema' AND nspname !~ '^pg_'
           AND relname NOT IN ('chassis_version', 'service_version')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', found.name) INTO filled;
        IF filled THEN
            EXECUTE format('TRUNCATE %s CASCADE', found.name);
        END IF;
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
       FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""
OTHERS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
EMPTIED_WITHIN_S = 10


def at(server_url: str, database: str) -> str:
    """Return the address of another database on the same server."""
    return make_url(server_url).set(database=database).render_as_string(hide_password=False)


def make_template(server_url: str) -> str:
    """Create and migrate the template; return its name."""
    execute(server_url, f"CREATE DATABASE {TEMPLATE}")
    migrate.schemas(at(server_url, TEMPLATE), [*entries.every(), toy.ENTRY], lambda _text: None)
    return TEMPLATE


def execute(server_url: str, statement: str) -> None:
    """Run one statement outside any transaction, as creating a database wants it."""
    engine = create_engine(make_url(server_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


@asynccontextmanager
async def connected(url: str, schema: str = "public") -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Look at a database as the superuser, with this schema on the path."""
    connection = await asyncpg.connect(url, server_settings={"search_path": schema})
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def copy(server_url: str, template: str | None) -> AsyncIterator[str]:
    """Give a database of its own for as long as the block lasts: a copy of the template, or an empty one."""
    name = f"ring_{uuid4().hex}"
    async with connected(server_url) as server:
        await server.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        try:
            yield at(server_url, name)
        finally:
            await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class Pool:
    """Lends databases like the template to one test after the other: emptying one costs a tenth of making one."""

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url = server_url
        self._template = template
        self._idle: list[str] = []
        self._shape = ""

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[str]:
        """Give a database for as long as the block lasts."""
        url = self._idle.pop() if self._idle else await self._made()
        yield url
        if await self._emptied(url):
            self._idle.append(url)
        else:
            await self._drop(url)

    async def _made(self) -> str:
        name = f"ring_{uuid4().hex}"
        async with connected(self._server_url) as server:
            await server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        url = at(self._server_url, name)
        if not self._shape:
            async with connected(url) as connection:
                self._shape = await connection.fetchval(SHAPE)
        return url

    async def _emptied(self, url: str) -> bool:
        """Leave no row and no session; False where the test changed more than rows."""
        try:
            async with asyncio.timeout(EMPTIED_WITHIN_S), connected(url) as connection:
                await connection.execute(OTHERS)
                if await connection.fetchval(SHAPE) != self._shape:
                    return False
                await connection.execute(EMPTY)
        except (asyncpg.PostgresError, OSError, TimeoutError):
            return False
        return True

    async def _drop(self, url: str) -> None:
        async with connected(self._server_url) as server:
            await server.execute(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')
