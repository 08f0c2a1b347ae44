"""What a fake provider accepted, as lines of JSON that are on the disk before anybody is told: the judge's evidence.

Append only. What stands there is known again after a kill -9; half a last line, which nobody was told of, is dropped.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def wall_now(ahead_s: float = 0.0) -> datetime:
    """Return the wall clock: a provider outside of us has no other."""
    return datetime.now(UTC) + timedelta(seconds=ahead_s)


class AcceptLog:
    """One file; one process at a time writes it. Many lines share one wait for the disk."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.known = _whole_lines(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def put(self, record: Mapping[str, Any]) -> None:
        """Write one line; when this returns it is on the disk. A caller that is cancelled does not take it back."""
        line = json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((line, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await asyncio.shield(done)

    async def close(self) -> None:
        """Write what waits, and close the file."""
        if self._writer is not None:
            await self._writer
        os.close(self._file)

    async def _write(self) -> None:
        while self._waiting:
            lines, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._to_disk, b"".join(line for line, _ in lines))
            except OSError as error:
                for _, done in lines:
                    done.set_exception(error)
                continue
            for _, done in lines:
                done.set_result(None)

    def _to_disk(self, lines: bytes) -> None:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fsync(self._file)


def read(path: Path) -> list[dict[str, Any]]:
    """Return every line of an accept log, in the order of acceptance."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    known = read(path)
    if path.exists():
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):  # the process was killed in the middle of a line
            os.truncate(path, data.rfind(b"\n") + 1)
    return known
