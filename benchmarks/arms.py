"""Starts one arm as a process of its own, so that no arm warms, slows or fattens another."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROJECT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 300
STDERR_SHOWN_CHARS = 2_000


class ArmFailed(Exception):
    """An arm ended without saying what it measured; the text is the end of its log."""


class Arm:
    """One running arm; leaving the block ends it in any case."""

    def __init__(
        self,
        module: str,
        arguments: dict[str, object],
        log: Path,
        seconds_max: float = SECONDS_MAX,
        python: Path = Path(sys.executable),
    ) -> None:
        self._command = [str(python), "-m", module, json.dumps(arguments)]
        self._log = log
        self._seconds_max = seconds_max
        self._process: subprocess.Popen[str]
        self._timer: threading.Timer

    def __enter__(self) -> Self:
        """Start it."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        self._timer = threading.Timer(self._seconds_max, self._process.kill)
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: by closing its input, by force if that is not enough."""
        self._timer.cancel()
        try:
            self._process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def hear(self) -> dict[str, Any]:
        """Return what it says next; raises ArmFailed if it says no more."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._log.read_text(encoding="utf-8", errors="replace")[-STDERR_SHOWN_CHARS:]
            raise ArmFailed(f"{self._command[2]} ended too early:\n{said}")
        return dict(json.loads(line))

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
