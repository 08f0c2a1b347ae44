"""Whether a database fits this release: server and schema, looked at before a service does anything else.

The revisions of a release are read from its numbered files, so that a service starts without the migration tool.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from typing import Any

import asyncpg

from duly_chassis.database import Database
from duly_chassis.plain import PlainError

SERVER_VERSION_MIN = 16_00_00
CHASSIS = "duly_chassis.migrations"
NUMBERED = re.compile(r"\d{4}_\w+\.py")
REVISION = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)


class WrongDatabase(PlainError):
    """The server or the schema is of another release than this code; the text says which, and what to do."""

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(f"{wrong}: {remedy}")
        self.wrong = wrong
        self.remedy = remedy


def known(package: str) -> tuple[str, ...]:
    """Return the revisions that this release has in a package of migrations, the newest last."""
    files = [file for file in resources.files(package).joinpath("versions").iterdir() if NUMBERED.fullmatch(file.name)]
    texts = [file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name)]
    return tuple(found[1] for text in texts if (found := REVISION.search(text)))


def require_server(version: int) -> None:
    """Refuse a server that is too old, by its server_version_num; raises WrongDatabase."""
    if version < SERVER_VERSION_MIN:
        raise WrongDatabase(
            f"PostgreSQL {SERVER_VERSION_MIN // 10_000} or later is needed, this server is {version // 10_000}",
            "upgrade it, or let DULY_DATABASE_URL name another",
        )


def require_not_newer(schema: str, package: str, found: str | None) -> None:
    """Refuse a schema at a revision that this release has never heard of; raises WrongDatabase."""
    if found is not None and found not in known(package):
        raise WrongDatabase(
            f"schema {schema} is newer than this release, which does not know its revision {found}",
            "run the release that made it, or restore the backup from before it",
        )


def require_newest(schema: str, package: str, found: str | None) -> None:
    """Refuse a schema at any other revision than this release's newest; raises WrongDatabase."""
    require_not_newer(schema, package, found)
    newest = known(package)[-1]
    if found != newest:
        raise WrongDatabase(
            f"schema {schema} is older than this release: it is at {found or 'no revision'}, and {newest} is needed",
            "run `duly migrate` of this release first",
        )


async def verify(database: Database, schema: str, package: str) -> None:
    """Ask a service's database who it is; raises WrongDatabase, or the driver's error while it is away."""
    try:
        async with database.transaction() as connection:
            await verify_session(connection, schema, package)
    except asyncpg.InvalidParameterValueError:  # not even the role is there
        _require(None, None, schema, package)


async def verify_session(connection: Any, schema: str, package: str) -> None:
    """Ask over a session that has taken the service's role and path; raises WrongDatabase or the driver's error."""
    chassis = own = None
    version = await connection.fetchval("SELECT current_setting('server_version_num')::int")
    require_server(version)
    with suppress(asyncpg.UndefinedTableError):  # no tables yet
        chassis = await connection.fetchval("SELECT version_num FROM chassis_version")
        own = await connection.fetchval("SELECT version_num FROM service_version")
    _require(chassis, own, schema, package)


def _require(chassis: str | None, own: str | None, schema: str, package: str) -> None:
    for found, chain in _in_order((chassis, CHASSIS), (own, package)):
        require_newest(schema, chain, found)


def _in_order(*chains: tuple[str | None, str]) -> Sequence[tuple[str | None, str]]:
    """Put a chain that is newer first: then it is the release that must change, and no migration would help."""
    return sorted(chains, key=lambda chain: chain[0] is None or chain[0] in known(chain[1]))
