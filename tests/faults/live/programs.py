"""Programs the rig starts, kills and starts again: each life in a process of its own, its output kept."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.faults.live import tied
from tests.faults.live.nursery import Child
from tests.faults.live.place import environment
from tests.faults.processes import PROJECT

POLL_S = 0.1
ENDS_WITHIN_S = 60
UP_WITHIN_S = 180


async def until(condition: Callable[[], bool], within_s: float, what: str, poll_s: float = POLL_S) -> None:
    """Wait for something outside this process; raises TimeoutError with what never came."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s:.0f} s: {what}")
        await asyncio.sleep(poll_s)


class Program:
    """One program, through all its lives. It dies with the rig."""

    def __init__(self, name: str, command: Sequence[str], logs: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.settings = dict(settings)
        self.lives = 0
        self._command = list(command)
        self._logs = logs
        self._process: subprocess.Popen[bytes] | Child | None = None

    def start(self) -> None:
        """Begin a new life; the one before must have ended."""
        self.lives += 1
        self._process = self._begun()

    def _begun(self) -> "subprocess.Popen[bytes] | Child":
        with self.log("out").open("wb") as out, self.log("err").open("wb") as err:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", tied.__file__, str(os.getpid()), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=PROJECT,
                env=environment(self.settings),
                start_new_session=True,
            )

    def log(self, kind: str) -> Path:
        """Name the output of the present life."""
        return self._logs / f"{self.name}.{self.lives}.{kind}"

    def said(self) -> str:
        """Return what this life wrote to its standard output."""
        return self.log("out").read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """The process of this life."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether this life goes on."""
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code of the last life; negative: the signal it died of."""
        return None if self._process is None else self._process.poll()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to this life's process, and to no other."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def ended(self, within_s: float = ENDS_WITHIN_S) -> None:
        """Wait until this life is over."""
        await until(lambda: not self.alive, within_s, f"the end of {self.name}")

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill and wait."""
        self.kill(number)
        await self.ended()


class Server(Program):
    """PostgreSQL or Kafka, started by Duly's one-machine stack as a program; `victim` is the server's own process."""

    def __init__(self, kind: str, root: Path, logs: Path, port: int, *more: str) -> None:
        command = [sys.executable, "-m", "duly_local.alone", kind, "--state", str(root / kind), "--port", str(port)]
        super().__init__(kind, [*command, *more], logs, {})
        self.port = port
        self.victim = 0
        self._spoken = root / kind / "logs" / f"{kind}.log"

    async def up(self, within_s: float = UP_WITHIN_S) -> None:
        """Start it, and wait until it says that it is ready; what its last life said is kept."""
        if self._spoken.exists():
            shutil.copy(self._spoken, self.log("server"))
        self.start()
        await until(lambda: "\n" in self.said() or not self.alive, within_s, f"{self.name} ready")
        if not self.alive:
            raise RuntimeError(f"{self.name} did not start: {self.log('err').read_text(errors='replace')[-500:]}")
        self.victim = int(json.loads(self.said())["pid"])

    async def strike(self, number: signal.Signals) -> None:
        """Signal the server itself and wait until nothing of it is left."""
        with suppress(ProcessLookupError):
            os.kill(self.victim, number)
        await self.ended()
