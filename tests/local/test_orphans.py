"""Who belongs to a state folder is ended; who only stands in it, or belongs to another, is not."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from duly_local import orphans
from duly_local.places import State


@contextmanager
def waiting_program(*argv: str | Path, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program that waits for input which never comes."""
    with subprocess.Popen(argv, cwd=folder, stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def shell_as(name: str, folder: Path) -> Path:
    """Return a program of this name that reads one line."""
    return Path(shutil.copy("/bin/sh", folder / name))


def test_broker_that_names_our_settings_is_ended(state: Path, tmp_path: Path) -> None:
    java = shell_as("java", tmp_path)
    ours = state / "kafka" / "server.properties"
    with waiting_program(java, "-c", "read line", "kafka.Kafka", ours, folder=tmp_path) as broker:
        assert [broker.pid] == orphans.end(State.at(state))
        assert broker.wait() == -signal.SIGTERM


def test_broker_of_another_folder_is_left_alone(state: Path, tmp_path: Path) -> None:
    java = shell_as("java", tmp_path)
    other = state.with_name("state2") / "kafka" / "server.properties"
    with waiting_program(java, "-c", "read line", "kafka.Kafka", other, folder=tmp_path) as broker:
        assert orphans.end(State.at(state)) == []
        assert broker.poll() is None


def test_inbox_of_our_mails_is_ended(state: Path, tmp_path: Path) -> None:
    argv = (sys.executable, "-m", "duly_local.inbox", "--port", "0", "--dir", state / "mails")
    with waiting_program(*argv, folder=tmp_path) as inbox:
        assert [inbox.pid] == orphans.end(State.at(state))


def test_backend_that_refuses_to_end_is_killed(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "ASK_WITHIN_S", 0.1)
    postgres = shell_as("postgres", tmp_path)
    folder = state / "postgres" / "data"
    folder.mkdir(parents=True)
    deaf = "trap '' QUIT; echo deaf; read line"
    with subprocess.Popen([postgres, "-c", deaf], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as backend:
        assert backend.stdout is not None
        backend.stdout.readline()
        assert [backend.pid] == orphans.end(State.at(state))
        assert backend.wait() == -signal.SIGKILL


def test_stranger_who_stands_in_the_folder_is_left_alone(state: Path) -> None:
    folder = state / "postgres" / "data"
    folder.mkdir(parents=True)
    with waiting_program("/bin/sh", "-c", "read line", "postgres", folder=folder) as stranger:
        assert orphans.end(State.at(state)) == []
        assert stranger.poll() is None
