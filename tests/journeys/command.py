"""The command `duly` as a person meets it: a process of its own, what it says, and how it ends."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from typer.testing import CliRunner

from duly_cli.main import app
from duly_local import waiting
from tests.faults.processes import MARK, PROJECT, duly_beside_python, kill_all, running

READY = "Running. Ctrl-C stops everything."
READY_WITHIN_S = 150.0
ENDS_WITHIN_S = 25.0
"""What the house promises for an orderly stop."""


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with these settings of Duly and no others; the cache stays."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
    cache = {name: os.environ[name] for name in ("DULY_CACHE_DIR",) if name in os.environ}
    return kept | cache | dict(given)


def duly(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with these settings in its environment."""
    command = [duly_beside_python(), *map(str, arguments)]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=environment(settings),
        timeout=READY_WITHIN_S,
    )


def ask(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, which spares its start: for short questions, and what is refused at once."""
    words = [*map(str, arguments)]
    without: dict[str, str | None] = {name: None for name in os.environ if name.startswith("DULY_")}
    result = CliRunner(env=without | settings).invoke(app, words)
    return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)


@dataclass(frozen=True)
class Running:
    """A command that runs until it is told to stop, with its output in two files."""

    process: "subprocess.Popen[bytes]"
    state: Path
    mark: str

    @property
    def out(self) -> str:
        return self.state.with_name(f"{self.mark}.out").read_text(encoding="utf-8", errors="replace")

    @property
    def err(self) -> str:
        return self.state.with_name(f"{self.mark}.err").read_text(encoding="utf-8", errors="replace")

    def ready(self) -> None:
        waiting.until(lambda: READY in self.out or self.process.poll() is not None, within_s=READY_WITHIN_S)
        assert READY in self.out, self.out + self.err

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signal the whole group, as a terminal's Ctrl-C does, and return the exit code."""
        os.killpg(self.process.pid, number)
        return self.process.wait(timeout=ENDS_WITHIN_S)

    def kill(self) -> int:
        """Kill every process of it with -9 and return their number."""
        return kill_all(self.process, self.state, self.mark)

    def left(self) -> list[str]:
        """Name what still runs of it."""
        return [f"{process.pid} {process.name()}" for process in running(self.process, self.state, self.mark)]


@contextmanager
def started(state: Path, *arguments: str | Path, stdin: Any = subprocess.DEVNULL, **settings: str) -> Iterator[Running]:
    """Start the command; `state` is where it works, its output lies beside that. Nothing survives the block."""
    mark = uuid4().hex
    given = environment(settings) | {MARK: mark}
    out, err = state.with_name(f"{mark}.out"), state.with_name(f"{mark}.err")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [duly_beside_python(), *map(str, arguments)],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=PROJECT,
            env=given,
            start_new_session=True,
        )
    command = Running(process, state, mark)
    try:
        yield command
    finally:
        command.kill()
