"""PostgreSQL's traps: orphaned backends, the user it runs as, a copy of its programs."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import asyncpg
import psutil
import pytest

from duly_local import orphans, postgres, programs, waiting
from duly_local.account import require_reachable
from duly_local.child import Account
from duly_local.errors import LocalError
from duly_local.places import State
from duly_local.postgres import Postgres
from duly_local.stack import Stack
from tests.local.running import doomed

SOMEBODY = Account("somebody", os.geteuid() + 4_321, os.getegid() + 4_321)


@pytest.mark.connected
async def test_busy_backend_of_a_killed_postmaster_is_ended(state: Path) -> None:
    async with busy_orphan(state) as backend:
        assert lives(backend)
        with Stack(state, kafka=False, inbox=False):
            assert not lives(backend)


@pytest.mark.connected
async def test_start_waits_for_an_orphan_it_cannot_see(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is no /proc."""

    def blocked() -> bool:
        log = state / "logs" / "postgres.log.before"  # the second try has begun
        return log.exists() and postgres.BLOCKED in log.read_text()

    async with busy_orphan(state) as backend:
        with monkeypatch.context() as blind:
            blind.setattr(orphans, "find", lambda _state: iter(()))
            stack = Stack(state, kafka=False, inbox=False)
            starting = asyncio.create_task(asyncio.to_thread(stack.start))
            assert await asyncio.to_thread(waiting.until, blocked, within_s=20)
            os.kill(backend, signal.SIGQUIT)
            await starting
            assert "postgres" in stack.pids
            stack.stop()


@asynccontextmanager
async def busy_orphan(state: Path) -> AsyncIterator[int]:
    """Kill a stack under a backend that works; yields the backend's process id."""
    with doomed(state, kafka=False, inbox=False) as first:
        connection = await asyncpg.connect(first.database)
        backend = connection.get_server_pid()
        busy = asyncio.ensure_future(connection.execute("DO $$ BEGIN LOOP NULL; END LOOP; END $$"))
        await until_busy(first.database, backend)
        first.kill_all()
    try:
        yield backend
    finally:
        if lives(backend):
            os.kill(backend, signal.SIGKILL)
        with pytest.raises(asyncpg.PostgresConnectionError):
            await busy


async def until_busy(url: str, backend: int) -> None:
    watcher = await asyncpg.connect(url)
    query = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1"
    async with asyncio.timeout(10):
        while not await watcher.fetchval(query, backend):
            pass
    watcher.terminate()


def lives(pid: int) -> bool:
    """Say whether it lives; a zombie does not: it waits for a parent that may never ask."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.connected
async def test_postgres_keeps_values_out_of_its_log(state: Path) -> None:
    with Stack(state, kafka=False, inbox=False) as endpoints:
        connection = await asyncpg.connect(endpoints.database_url)
        await connection.execute("CREATE TABLE people (mail text PRIMARY KEY)")
        await connection.execute("INSERT INTO people VALUES ('ada@example.org')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO people VALUES ('ada@example.org')")
        await connection.close()

    assert "ada@" not in (state / "logs" / "postgres.log").read_text()


@pytest.mark.connected
async def test_postgres_does_not_give_up_durability(state: Path) -> None:
    with Stack(state, kafka=False, inbox=False) as endpoints:
        connection = await asyncpg.connect(endpoints.database_url)
        found = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")]
        await connection.close()

    assert found == ["on", "on"]


@pytest.mark.connected
def test_note_of_a_killed_server_is_no_hindrance_when_its_process_id_is_a_strangers(state: Path) -> None:
    with Stack(state, kafka=False, inbox=False):
        pass
    note = state / "postgres" / "data" / "postmaster.pid"
    note.write_text(f"{os.getppid()}\n{note.parent}\n")
    stack = Stack(state, kafka=False, inbox=False)
    with stack:
        assert "postgres" in stack.pids


def test_unreachable_state_folder_is_refused_with_the_parent_and_the_remedy(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = state.parent / "closed"
    closed.mkdir(mode=0o700)
    inside = State.at(closed / "state")
    inside.create()
    monkeypatch.setattr(postgres, "server_account", lambda: SOMEBODY)
    with pytest.raises(LocalError, match=rf"'somebody'.*chmod o\+x {closed}\)"):
        Postgres(inside, 1).start(Event())


def test_reachable_folder_is_accepted(state: Path) -> None:
    state.mkdir(mode=0o711)

    require_reachable(state, SOMEBODY)


def test_folder_of_another_user_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "postgres" / "data").mkdir(parents=True)
    state.chmod(0o755)
    monkeypatch.setattr(postgres, "server_account", lambda: SOMEBODY)
    with pytest.raises(LocalError, match=f"belongs to the user with id {os.geteuid()}"):
        Postgres(State.at(state), 1).start(Event())


def test_programs_are_copied_whole_when_the_servers_user_cannot_read_them(
    state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state.mkdir(mode=0o755)
    monkeypatch.setattr(programs, "_readable", lambda *_: False)
    unreachable = tmp_path / "closed"
    unreachable.mkdir(mode=0o700)
    monkeypatch.setenv("DULY_CACHE_DIR", str(unreachable / "cache"))
    bin_folder = programs.programs(State.at(state), SOMEBODY)
    said = subprocess.check_output([bin_folder / "initdb", "--version"], text=True)

    assert said.startswith("initdb (PostgreSQL) 18.")
    assert bin_folder.is_relative_to(state / "postgres-programs")
    require_reachable(bin_folder, SOMEBODY)
