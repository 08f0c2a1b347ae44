"""PostgreSQL, as a service uses it: one pool for its workers, one for those who answer people.

The workers' role handles records of many tenants in one statement and is not under row-level security; the
reader's role is, and sees one tenant per transaction; a third alone reads the bytes of dead letters. None owns a table.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from duly_chassis.settings import ServiceSettings

if TYPE_CHECKING:  # asyncpg's classes are generic for the type checker only
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection, Pool = PoolConnectionProxy, asyncpg.Pool

STATEMENT_DEADLINE_S = 30
IDLE_IN_TRANSACTION_MS = 10_000
EVERYBODY = "*"  # the operator's view of dead letters: no tenant can have this name
READERS_MAX = 1  # explanations are few; the workers need the connections


def roles(service: str) -> tuple[str, ...]:
    """Name a service's roles: its workers', its readers', and that of who looks into dead letters."""
    return service, f"{service}_reader", f"{service}_letters"


async def keep_session(_connection: object) -> None:
    """Spare the statement asyncpg would send after each use: all that is set here is SET LOCAL.

    An open transaction is rolled back by asyncpg before this; the relay's session is closed, never given back.
    """


class Database:
    """Both pools of one service; `open` and `close` belong to its start and stop."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self.workers: Pool
        self.readers: Pool

    async def open(self) -> None:
        """Prepare the pools; connections are made when first needed, so a database that is away is waited for later."""
        name = self._settings.service
        self.workers = await self._pool(name, self._settings.connections_max - READERS_MAX)
        self.readers = await self._pool(f"{name}_reader", READERS_MAX)

    async def close(self) -> None:
        """Close what is idle and cut what is not: everything in flight is either committed or comes again."""
        for pool in (self.workers, self.readers):
            pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One worker's transaction: commits when the block ends, rolls back when it raises."""
        async with self.workers.acquire() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def reading(self, tenant_id: str) -> AsyncIterator[Connection]:
        """One reader's transaction, which sees one tenant; the only place that sets it (SET LOCAL)."""
        async with self.readers.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute("SELECT set_config('duly.tenant', $1, true)", tenant_id)
            yield connection

    @asynccontextmanager
    async def letters(self, tenant_id: str) -> AsyncIterator[Connection]:
        """One transaction of the role that reads dead letters, their bytes too; sees one tenant's, or EVERYBODY's."""
        async with self.readers.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute(
                "SELECT set_config('role', $1, true), set_config('duly.tenant', $2, true)",
                f"{self._settings.service}_letters",
                tenant_id,
            )
            yield connection

    async def _pool(self, role: str, size: int) -> Pool:
        return await asyncpg.create_pool(
            self._settings.database_url.get_secret_value(),
            min_size=0,
            max_size=size,
            command_timeout=STATEMENT_DEADLINE_S,
            max_inactive_connection_lifetime=300,
            reset=keep_session,
            server_settings={
                "role": role,
                "search_path": self._settings.service,
                "application_name": f"duly-{role}",
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                "random_page_cost": "1.1",  # else a claim sorts the table until the first ANALYZE
                "jit": "off",  # short statements: planning them twice costs more than it saves
            },
        )
