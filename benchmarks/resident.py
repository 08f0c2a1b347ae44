"""Resident memory of another process, from the outside, and the most of it."""

import threading
from typing import Self

import psutil

LOOK_S = 0.05


class Watched:
    """Looks at a process's resident memory now and then and keeps the most it saw."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.most_mb = 0.0

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            try:
                self.most_mb = max(self.most_mb, resident_mb(self._process))
            except psutil.NoSuchProcess:
                return


def resident_mb(process: psutil.Process) -> float:
    """Return a process's resident memory."""
    return float(process.memory_info().rss / 1e6)
