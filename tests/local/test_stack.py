"""The whole stack: what it leaves behind, what it finds again, what it survives."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from duly_local import ports, waiting
from duly_local.errors import LocalError
from duly_local.stack import Stack
from tests.local.running import PARENT, doomed, living, none_lives

pytestmark = pytest.mark.connected


async def create_topic(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("kept", num_partitions=2, replication_factor=1)])
    await admin.close()


async def topics(bootstrap: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    found: list[str] = await admin.list_topics()
    await admin.close()
    return found


async def create_table(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    await connection.close()


async def value(url: str) -> int:
    connection = await asyncpg.connect(url)
    found: int = await connection.fetchval("SELECT value FROM kept")
    await connection.close()
    return found


def test_stack_leaves_no_process_when_stopped(state: Path) -> None:
    stack = Stack(state)
    with stack:
        started = set(stack.pids)

    assert {"kafka", "postgres", "inbox"} == started
    assert living(state) == []


async def test_stack_finds_its_data_when_started_again(state: Path) -> None:
    with Stack(state, inbox=False) as endpoints:
        await create_topic(endpoints.kafka_bootstrap)
        await create_table(endpoints.database_url)
    with Stack(state, inbox=False) as again:
        assert (await value(again.database_url), await topics(again.kafka_bootstrap)) == (42, ["kept"])
        assert endpoints == again


async def test_stack_starts_with_its_data_after_kill_9_of_everything(state: Path) -> None:
    with doomed(state) as first:
        await create_topic(first.kafka)
        await create_table(first.database)
        first.kill_all()
    with Stack(state) as endpoints:
        assert await value(endpoints.database_url) == 42
        assert "kept" in await topics(endpoints.kafka_bootstrap)


async def test_stack_moves_to_other_ports_when_strangers_took_the_kept_ones(state: Path) -> None:
    """The controller's port moves as well: the one-node quorum survives that."""
    with Stack(state) as endpoints:
        await create_topic(endpoints.kafka_bootstrap)
    before = json.loads((state / "ports.json").read_text())
    strangers = [socket.create_server((ports.HOST, port)) for port in before.values()]
    with Stack(state) as moved:
        after = json.loads((state / "ports.json").read_text())
        assert await topics(moved.kafka_bootstrap) == ["kept"]
    for stranger in strangers:
        stranger.close()

    assert set(before) == set(after)
    assert not set(before.values()) & set(after.values())


def test_children_end_when_their_parent_is_killed(state: Path) -> None:
    with doomed(state) as stack:
        stack.kill_parent()

        assert none_lives(state)


def test_ctrl_c_during_the_first_start_leaves_nothing_behind(state: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(state), "{}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        begun = waiting.until(lambda: any("java" in line for line in living(state)), within_s=20)
        parent.send_signal(signal.SIGINT)
        said, error = parent.communicate(timeout=20)

    assert (begun, said, error.split()[-1]) == (True, b"", b"KeyboardInterrupt")
    assert living(state) == []


def test_second_stack_says_who_has_the_folder(state: Path) -> None:
    with Stack(state, kafka=False, postgres=False):
        beside = Stack(state, kafka=False, postgres=False)
        with pytest.raises(LocalError, match=f"in use by process {os.getpid()}"):
            beside.start()


def test_stack_of_a_killed_process_frees_its_folder(state: Path) -> None:
    with doomed(state, kafka=False, postgres=False) as first:
        first.kill_all()
    with Stack(state, kafka=False, postgres=False) as endpoints:
        assert endpoints.smtp_url


def test_check_names_the_child_that_ended_and_its_log(state: Path) -> None:
    stack = Stack(state, kafka=False)
    with stack:
        stack.check()
        postgres = stack.pids["postgres"]  # asked once: a moment after the kill it is none of the running ones
        os.kill(postgres, signal.SIGKILL)
        os.waitid(os.P_PID, postgres, os.WEXITED | os.WNOWAIT)
        with pytest.raises(LocalError, match=r"(?s)postgres ended by itself \(signal 9\).*ready to accept"):
            stack.check()


def test_failed_start_leaves_nothing_behind(state: Path) -> None:
    with Stack(state, kafka=False):
        pass
    (state / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(LocalError, match="was made by PostgreSQL 17"):
        Stack(state, kafka=False).start()

    assert living(state) == []
    with Stack(state, kafka=False, postgres=False):
        pass  # the folder is free again


def test_start_replaces_what_a_kill_during_the_first_start_left(state: Path) -> None:
    for server in ("postgres", "kafka"):
        half = state / server / "data.part"
        half.mkdir(parents=True)
        half.joinpath("half").touch()
        for folder in (state, state / server):
            folder.chmod(0o755)
    stack = Stack(state, inbox=False)
    with stack:
        assert {"kafka", "postgres"} == set(stack.pids)
