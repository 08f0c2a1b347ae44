"""Checks a service's database as the service will use it: login, roles, schema, row-level security and clock."""

import ssl
from collections.abc import AsyncIterator, Sequence
from socket import gaierror
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from duly_chassis import revisions
from duly_chassis.clock import Clock
from duly_chassis.database import roles
from duly_chassis.doctor import CLOCK_S_MAX, Check, Finding, State, apart_s, ok, problem, warning
from duly_chassis.service import Entry
from duly_chassis.settings import ServiceSettings

if TYPE_CHECKING:  # asyncpg's classes are generic for the type checker only
    Session: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Session = asyncpg.Connection

CONNECT_DEADLINE_S = 5.0
NAME = "database"
MIGRATE = "run `duly migrate` of this release"
LOGIN = "run `duly migrate --logins`, which makes a login for each service"

REFUSALS: tuple[tuple[type[Exception], str, str], ...] = (  # the first that fits
    (
        asyncpg.InvalidAuthorizationSpecificationError,  # a wrong password is one of them
        "the server refuses the user or its password",
        f"correct them in DULY_DATABASE_URL, or {LOGIN}",
    ),
    (asyncpg.InvalidCatalogNameError, "the server has no such database", "create it, or correct DULY_DATABASE_URL"),
    (asyncpg.InsufficientPrivilegeError, "the user may not connect to this database", "grant it CONNECT"),
    (asyncpg.TooManyConnectionsError, "the server has no connection left", "raise its max_connections"),
    (asyncpg.CannotConnectNowError, "the server is starting or stopping", "wait, and look into its log"),
    (ssl.SSLError, "TLS with the server fails", "check its certificate, and what DULY_DATABASE_URL says of sslmode"),
    (gaierror, "the name of the server is not known here", "correct the host in DULY_DATABASE_URL"),
    (TimeoutError, "the server does not answer", "see whether a firewall stands between"),
    (OSError, "nobody answers there", "start PostgreSQL, or correct host and port in DULY_DATABASE_URL"),
)
"""What keeps a session from beginning. The variable may be the service's own, too, as everywhere."""


def check(entry: Entry, settings: ServiceSettings, clock: Clock) -> Check:
    """Return the check of one service's database."""

    async def ask() -> Sequence[Finding]:
        try:
            session = await asyncpg.connect(
                settings.database_url.get_secret_value(),
                timeout=CONNECT_DEADLINE_S,
                command_timeout=CONNECT_DEADLINE_S,
                server_settings={"application_name": "duly-doctor", "search_path": entry.name},
            )
        except (asyncpg.PostgresError, OSError) as error:
            return [_refused(error)]
        try:
            return [one async for one in _asked(session, entry, clock)]
        finally:
            session.terminate()

    return Check(NAME, ask)


def _refused(error: Exception) -> Finding:
    for kind, wrong, remedy in REFUSALS:
        if isinstance(error, kind):
            return problem(NAME, wrong, remedy)
    raise error


async def _asked(session: Session, entry: Entry, clock: Clock) -> AsyncIterator[Finding]:
    """Ask in the order in which one thing stands on another; what is missing below spares the questions above."""
    yield await _server(session)
    yield await _clock(session, clock)
    login = await _login(session, entry.name)
    yield login
    if login.state is State.PROBLEM:
        return
    try:
        await session.execute("SELECT set_config('role', $1, false)", entry.name)
        await revisions.verify_session(session, entry.name, entry.migrations)
    except revisions.WrongDatabase as error:
        yield problem("schema", error.wrong, error.remedy)
        return
    yield ok("schema")
    yield await _walls(session, entry.name)


async def _server(session: Session) -> Finding:
    """Tell whether this server can hold Duly."""
    try:
        revisions.require_server(await session.fetchval("SELECT current_setting('server_version_num')::int"))
    except revisions.WrongDatabase as error:
        return problem(NAME, error.wrong, error.remedy)
    if await session.fetchval("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"):
        wrong = "the server takes no writes: it is a standby, or read-only"
        return problem(NAME, wrong, "let DULY_DATABASE_URL name the primary server")
    return ok(NAME)


async def _clock(session: Session, clock: Clock) -> Finding:
    """Compare its clock with ours."""
    before = clock.now()
    theirs = await session.fetchval("SELECT clock_timestamp()")
    ahead_s = apart_s(theirs, before, clock.now())
    if abs(ahead_s) <= CLOCK_S_MAX:
        return ok("database clock")
    way = "ahead of" if ahead_s > 0 else "behind"
    wrong = f"the server's clock is {abs(ahead_s):.0f} s {way} this machine's; {CLOCK_S_MAX:g} s are the most"
    return problem("database clock", wrong, "let both machines keep time by NTP")


async def _login(session: Session, service: str) -> Finding:
    """Tell whether this login may take the service's roles, and whether it could do more than that."""
    query = """
        SELECT wanted.role, known.oid IS NOT NULL AS is_there,
               known.oid IS NOT NULL AND pg_has_role(current_user, known.oid, 'MEMBER') AS may_take
          FROM unnest($1::text[]) AS wanted (role) LEFT JOIN pg_roles known ON known.rolname = wanted.role
    """
    found = await session.fetch(query, list(roles(service)))
    if missing := [row["role"] for row in found if not row["is_there"]]:
        return problem("database role", f"the server has no role {', '.join(missing)}", MIGRATE)
    if refused := [row["role"] for row in found if not row["may_take"]]:
        return problem("database role", f"this login may not take the role {', '.join(refused)}", LOGIN)
    if await session.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        return warning("database login", "this login is a superuser, where a service needs its own roles alone", LOGIN)
    return ok("database role")


async def _walls(session: Session, service: str) -> Finding:
    """Tell whether those who answer people see one tenant at a time."""
    query = """
        SELECT (SELECT bool_or(rolbypassrls OR rolsuper) FROM pg_roles WHERE rolname = $1 || '_reader')
            OR (SELECT NOT bool_and(rolbypassrls) FROM pg_roles WHERE rolname = $1)
            OR EXISTS (SELECT FROM pg_class c
                         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
                        WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p')
                          AND NOT (c.relrowsecurity AND c.relforcerowsecurity))
    """
    if await session.fetchval(query, service):
        wrong = "row-level security is not as it should be: a reader could see another tenant, or a worker not all"
        return problem("row-level security", wrong, MIGRATE)
    return ok("row-level security")
