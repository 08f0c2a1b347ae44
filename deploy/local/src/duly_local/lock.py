"""One process per folder: a lock that the kernel releases, also after a kill -9."""

import fcntl
import os
from pathlib import Path
from typing import TextIO

from duly_local.errors import LocalError


class FolderLock:
    """A lock on one file, which names the process that holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: TextIO | None = None

    @property
    def held(self) -> bool:
        """Say whether this object holds it."""
        return self._stream is not None

    def take(self) -> None:
        """Take the lock, or raise LocalError with the process that has it."""
        stream = self._open()
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(stream)
            stream.close()
            raise LocalError(
                f"{self._path.parent} is already in use by {holder}. "
                "Stop that one first, or give this one another state folder."
            ) from None
        self._hold(stream)

    def wait(self) -> None:
        """Take the lock when its present holder is done."""
        stream = self._open()
        fcntl.flock(stream, fcntl.LOCK_EX)
        self._hold(stream)

    def release(self) -> None:
        """Let go; without effect where it is not held. The file stays: removing it would race a new holder."""
        if self._stream:
            self._stream.close()
            self._stream = None

    def _open(self) -> TextIO:
        return self._path.open("a+", encoding="ascii")

    def _hold(self, stream: TextIO) -> None:
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        self._stream = stream


def _holder(stream: TextIO) -> str:
    stream.seek(0)
    pid = stream.read(20).strip()
    return f"process {pid}" if pid.isdigit() else "another process"
