"""Fresh databases: one migrated template per run, a copy of it per test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from duly_chassis import entries, migrate
from tests.support import toy

TEMPLATE = "ring_template"


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
