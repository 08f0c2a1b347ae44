"""A database of another release is refused at start and by `duly migrate`, in one sentence with the remedy."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from duly_chassis import database, entries, logins, migrate, revisions, serving
from duly_chassis.clock import SystemClock
from duly_chassis.database import Database
from duly_chassis.plain import Unstarted
from duly_chassis.revisions import WrongDatabase
from duly_local.stack import Endpoints
from tests.journeys.command import ask, environment
from tests.support import databases, toy
from tests.support.compose import ROOT

pytestmark = pytest.mark.connected

OLDER = "schema reminders is older than this release: it is at {}, and {} is needed: run `duly migrate` of this release"
NEWER = "schema reminders is newer than this release, which does not know its revision {}: run the release that made it"
TOO_OLD = "PostgreSQL 99 or later is needed, this server is 18: upgrade it, or let DULY_DATABASE_URL name another\n"
ENDS_WITHIN_S = 60


@pytest.fixture(name="url")
async def url_fixture(endpoints: Endpoints, template: str) -> AsyncIterator[str]:
    """Give the test a migrated database of its own."""
    async with databases.copy(endpoints.database_url, template) as url:
        yield url


@pytest.fixture(name="empty_url")
async def empty_url_fixture(endpoints: Endpoints) -> AsyncIterator[str]:
    """Give the test a database in which there is nothing."""
    async with databases.copy(endpoints.database_url, None) as url:
        yield url


async def started(url: str, endpoints: Endpoints, *command: str) -> tuple[int | None, str]:
    """Start reminders; return how it ended and what it said."""
    settings = {"DULY_DATABASE_URL": url, "DULY_KAFKA_BOOTSTRAP": endpoints.kafka_bootstrap, "DULY_LOG_LEVEL": "error"}
    words = command or (sys.executable, "-m", "duly_chassis.run", "reminders")
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env=environment(settings),
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), ENDS_WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, said.decode()


async def set_back(url: str, table: str, revision: str) -> None:
    """Make a schema one of another release, as far as anybody can tell."""
    async with databases.connected(url) as connection:
        assert await connection.execute(f"UPDATE reminders.{table} SET version_num = '{revision}'") == "UPDATE 1"  # noqa: S608


def assert_one_sentence(said: str, beginning: str) -> None:
    """One line, in plain words."""
    assert said.removeprefix("reminders: ").startswith(beginning), said
    assert said.count("\n") == 1


async def test_service_does_not_start_where_nobody_has_migrated(empty_url: str, endpoints: Endpoints) -> None:
    code, said = await started(empty_url, endpoints)

    assert code == 1
    assert_one_sentence(said, OLDER.format("no revision", revisions.known(revisions.CHASSIS)[-1]))


async def test_service_does_not_start_where_not_even_its_role_is_known(empty_url: str, endpoints: Endpoints) -> None:
    """Roles belong to the server: on a new one asyncpg is refused before there is a statement to send."""

    class Ghost(toy.ToySettings):
        service = "ghost"

    database = Database(Ghost(database_url=empty_url, kafka_bootstrap=endpoints.kafka_bootstrap))
    await database.open()
    try:
        with pytest.raises(WrongDatabase, match=r"^schema ghost is older than this release: it is at no revision"):
            await revisions.verify(database, "ghost", "tests.support.migrations")
    finally:
        await database.close()


@pytest.mark.parametrize("package", [revisions.CHASSIS, "reminders.migrations"])
async def test_service_does_not_start_on_a_schema_of_an_earlier_release(
    url: str, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """As after an upgrade without `duly migrate`: here the code has one revision more than the schema."""
    before = revisions.known
    monkeypatch.setattr(revisions, "known", lambda name: (*before(name), *(["next_9999"] if name == package else [])))
    said = await start_here(url, endpoints)

    assert_one_sentence(said, OLDER.format(before(package)[-1], "next_9999"))


@pytest.mark.parametrize("table", ["chassis_version", "service_version"])
async def test_newer_schema_is_refused_at_start_and_by_migrate(url: str, endpoints: Endpoints, table: str) -> None:
    await set_back(url, table, "next_9999")
    code, said = await started(url, endpoints)
    migrating = await started(url, endpoints, sys.executable, "-m", "duly_cli.main", "migrate")

    assert (code, migrating[0]) == (1, 1)
    assert_one_sentence(said, NEWER.format("next_9999"))
    assert_one_sentence(migrating[1], NEWER.format("next_9999"))


async def test_migrate_changes_no_schema_when_one_of_them_is_newer(url: str) -> None:
    said: list[str] = []
    await set_back(url, "service_version", "next_9999")
    with pytest.raises(WrongDatabase):
        await asyncio.to_thread(migrate.schemas, url, entries.every(), said.append)

    assert said == []


async def test_server_that_is_too_old_is_refused_at_start_and_by_migrate(
    url: str, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "SERVER_VERSION_MIN", 99_00_00)
    settings = {"DULY_DATABASE_URL": url, "DULY_KAFKA_BOOTSTRAP": endpoints.kafka_bootstrap}
    migrating = await asyncio.to_thread(ask, "migrate", **settings)
    said = await start_here(url, endpoints)

    assert (migrating.returncode, migrating.stdout, migrating.stderr) == (1, "", TOO_OLD)
    assert said == f"reminders: {TOO_OLD}"


async def test_service_that_is_refused_leaves_no_connection_behind(url: str, endpoints: Endpoints) -> None:
    await set_back(url, "service_version", "next_9999")
    await started(url, endpoints)
    async with databases.connected(url) as connection:
        left = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'duly-reminders' AND datname = $1",
            url.rpartition("/")[2],
        )

    assert left == 0


@pytest.mark.parametrize(
    ("own_url", "said"),
    [
        ("postgresql://x_login@h:1/duly", "names no user with a password"),
        ("postgresql://:x@h:1/duly", "names no user with a password"),
        ("not an address", "not a database address"),
        ("postgresql://reminders:x@h:1/duly", "neither who migrates nor one of its roles"),
        ("postgresql://reminders_reader:x@h:1/duly", "neither who migrates nor one of its roles"),
        ("postgresql://postgres:x@h:1/duly", "neither who migrates nor one of its roles"),
    ],
)
async def test_address_that_is_no_login_is_refused_by_its_variable(url: str, own_url: str, said: str) -> None:
    variable = "DULY_REMINDERS_DATABASE_URL"
    with pytest.raises(logins.LoginRefused) as refused:
        await asyncio.to_thread(
            migrate.schemas, url, [entries.named("reminders")], lambda _text: None, {variable: own_url}
        )

    assert str(refused.value).startswith(f"{variable}: ")
    assert said in str(refused.value)


async def test_password_of_a_login_is_renewed_by_the_next_migration_and_never_sent_in_the_clear(url: str) -> None:
    """The server's own hash is stored: whoever reads its statements learns no password."""
    hashes = []
    for password in ("first%20word", "second"):
        own = {"DULY_REMINDERS_DATABASE_URL": f"postgresql://odd%2Dlogin:{password}@h:1/duly"}
        await asyncio.to_thread(migrate.schemas, url, [entries.named("reminders")], lambda _text: None, own)
        async with databases.connected(url) as connection:
            hashes.append(await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = 'odd-login'"))
            may = await connection.fetch(
                "SELECT roleid::regrole::text FROM pg_auth_members WHERE member = '\"odd-login\"'::regrole"
            )
    async with databases.connected(url) as connection:
        await connection.execute('DROP ROLE "odd-login"')

    assert len({*hashes}) == 2
    assert all(one.startswith("SCRAM-SHA-256$") for one in hashes)
    assert {row[0] for row in may} == set(database.roles("reminders"))


async def start_here(url: str, endpoints: Endpoints) -> str:
    """Start reminders in this process, where the code can be made another release's; return why it did not."""
    entry = entries.named("reminders")
    settings = entry.settings(database_url=url, kafka_bootstrap=endpoints.kafka_bootstrap)
    with pytest.raises(Unstarted) as refused:
        async with serving.together([(entry, settings)], SystemClock()):
            pass
    return f"{refused.value}\n"
