"""The two logs of the lying server: lines of JSON, only ever added to, and read again by the checker."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


class Log:
    """Adds lines; each is with the operating system before `add` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def add(self, entry: dict[str, Any]) -> None:
        """Write one line."""
        self.write(line(entry))

    def write(self, text: bytes) -> None:
        """Write whole lines, however often the system takes only part of them."""
        while text:
            text = text[os.write(self._file, text) :]

    def sync(self) -> None:
        """Wait until the disk has it."""
        os.fsync(self._file)


class SyncedLog(Log):
    """Adds lines that are on the disk before anybody is told: many connections share one fsync."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._waiting: list[tuple[bytes, Callable[[], None]]] = []
        self._wake = asyncio.Event()

    def add_then(self, entry: dict[str, Any], told: Callable[[], None]) -> None:
        """Write one line, and call `told` once it is safe."""
        self._waiting.append((line(entry), told))
        self._wake.set()

    async def run(self) -> None:
        """Write and sync what waits, group by group, for as long as the server lives."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            group, self._waiting = self._waiting, []
            await asyncio.to_thread(self._write_and_sync, b"".join(text for text, _ in group))
            for _, told in group:
                told()

    def _write_and_sync(self, text: bytes) -> None:
        self.write(text)
        self.sync()


def line(entry: dict[str, Any]) -> bytes:
    """Write an entry as one line of ASCII, whatever a stranger put into a header."""
    return json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Read a log's entries; one that was never begun has none."""
    if path.exists():
        with path.open(encoding="ascii") as file:
            for text in file:
                yield json.loads(text)
