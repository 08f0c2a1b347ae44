"""Start, watch and stop one child process."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event

from duly_local import leash, waiting
from duly_local.errors import LocalError

TAIL_LINES = 12
TAIL_BYTES_MAX = 8_192
KILL_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Account:
    """The user a child runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run: absolute path first, no shell; the environment is given whole, nothing is inherited."""

    name: str
    argv: Sequence[str]
    log: Path
    folder: Path
    environment: Mapping[str, str]
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends to it when this process ends without having stopped it."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running or ended program, started by `start`, in a session of its own: Ctrl-C does not reach it."""

    command: Command
    process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        """The program's own process id: the leash becomes the program."""
        return self.process.pid

    def running(self) -> bool:
        """Say whether it lives."""
        return self.process.poll() is None

    def send(self, how: signal.Signals) -> None:
        """Send a signal; without effect once it ended."""
        self.process.send_signal(how)

    def wait(self, within_s: float) -> bool:
        """Wait for its end; say whether it came in time."""
        return waiting.until(lambda: not self.running(), within_s=within_s)

    def kill(self) -> None:
        """End it and its process group at once."""
        if self.running():
            os.killpg(self.pid, signal.SIGKILL)
            self.wait(KILL_WITHIN_S)

    def failure(self) -> LocalError:
        """Say that it ended by itself, with the end of its log."""
        code = self.process.poll()
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        log = self.command.log
        return LocalError(f"{self.command.name} ended by itself ({how}). The end of {log}:\n{tail(log)}")


def start(command: Command) -> Child:
    """Start the program; its output goes to its log, and the log of the run before is kept beside it."""
    if command.log.exists():
        command.log.replace(command.log.with_name(f"{command.log.name}.before"))
    return Child(command, _keeper().submit(_spawn, command).result())


def run(command: Command, *, within_s: float, cancelled: Event) -> None:
    """Run a program that ends by itself, or raise LocalError with the end of its log."""
    child = start(command)
    try:
        in_time = waiting.until(lambda: not child.running(), within_s=within_s, cancelled=cancelled)
    finally:
        child.kill()
    if not in_time:
        raise LocalError(f"{command.name} was stopped: it was not done within {within_s:.0f} s.")
    if child.process.returncode != 0:
        raise child.failure()


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    with log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES_MAX))
        lines = stream.read().decode(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:]) or "  (empty)"


@cache
def _keeper() -> ThreadPoolExecutor:
    """Return the one thread that forks.

    The kernel sends the death signal when the *thread* that forked ends, so no short-lived one may do it.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="duly-local-keeper")


def _spawn(command: Command) -> "subprocess.Popen[bytes]":
    account = command.account
    user = [str(account.uid), str(account.gid)] if account else [leash.NO_CHANGE, leash.NO_CHANGE]
    tie = [str(os.getpid()), str(int(command.death_signal)), *user]
    with command.log.open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own programs, no shell
            [sys.executable, "-I", "-S", str(Path(leash.__file__)), *tie, *command.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=command.folder,
            env=dict(command.environment),
            start_new_session=True,
        )
