"""The log of a provider's stand-in: what it accepted, one line of JSON each, on the disk before anybody is told.

Lines are only ever added, so a stand-in that is killed knows afterwards what it took.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class AcceptLog:
    """Adds lines; many callers share one fsync."""

    def __init__(self, path: Path) -> None:
        drop_half_a_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, entry: dict[str, Any]) -> None:
        """Return when the line is on the disk; raises OSError when it cannot be."""
        safe = asyncio.get_running_loop().create_future()
        self._waiting.append((line(entry), safe))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await safe

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._write_and_sync, b"".join(text for text, _ in group))
            except OSError as error:
                for _, safe in group:
                    safe.set_exception(error)
                return
            for _, safe in group:
                if not safe.done():
                    safe.set_result(None)

    def _write_and_sync(self, text: bytes) -> None:
        while text:
            text = text[os.write(self._file, text) :]
        os.fsync(self._file)


def drop_half_a_line(path: Path) -> None:
    """Cut off what a kill left of a last line: the next one would be written behind it, and neither could be read."""
    if path.exists() and not (data := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


def line(entry: dict[str, Any]) -> bytes:
    """Write an entry as one line of ASCII."""
    return json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """Read a log again; a last line that a kill cut off was told to nobody."""
    if path.exists():
        with path.open("rb") as file:
            for text in file:
                if text.endswith(b"\n"):
                    yield json.loads(text)
