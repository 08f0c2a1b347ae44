"""Where a campaign keeps what it sees: evidence in one folder, what Duly and its servers say in others."""

import json
import os
import random
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.logs import Log

HOST = "127.0.0.1"
PORTS = (15_000, 32_000)  # below those that the kernel gives to outgoing connections


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one campaign."""

    root: Path

    def create(self) -> None:
        """Make the folders; PostgreSQL may have to pass through as somebody else."""
        self.root.chmod(0o755)
        for folder in (self.logs, self.evidence):
            folder.mkdir()

    @property
    def logs(self) -> Path:
        """What every life of every service said; searched for canaries."""
        return self.root / "logs"

    @property
    def evidence(self) -> Path:
        """What the rig wrote down; full of canaries, by design."""
        return self.root / "evidence"

    @property
    def spoken(self) -> list[Path]:
        """Every folder in which Duly or a server of its may have said something."""
        return [self.logs, self.root / "postgres" / "logs", self.root / "kafka" / "logs"]

    def note(self, name: str) -> Path:
        """Name a log of the rig."""
        return self.evidence / f"{name}.jsonl"


class Diary(Log):
    """A log of the rig: each line has its time, and is on the disk before `say` returns."""

    def say(self, **entry: Any) -> None:
        """Write one line."""
        self.add({"at": time.time(), **entry})
        self.sync()

    def say_all(self, entries: list[dict[str, Any]]) -> None:
        """Write many lines with one time and one wait for the disk."""
        at = time.time()
        self.write(b"".join(json.dumps({"at": at, **entry}).encode("ascii") + b"\n" for entry in entries))
        self.sync()


def free_ports(number: int, among: tuple[int, int] = PORTS) -> Iterator[int]:
    """Choose ports of this machine that nobody listens on."""
    chosen: set[int] = set()
    while len(chosen) < number:
        port = random.randrange(*among)  # noqa: S311 - spreads rigs that start together, guards nothing
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if port not in chosen:
            chosen.add(port)
            yield port


def environment(settings: dict[str, str]) -> dict[str, str]:
    """Return this process's environment with these settings of Duly and no others; the cache stays.

    The brakes that trip by a rule report: a campaign makes more faults than a provider that works, on purpose.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
    cache = {name: os.environ[name] for name in ("DULY_CACHE_DIR",) if name in os.environ}
    return kept | cache | {"DULY_MESSENGER_BRAKES": "report"} | settings
