"""The one-machine stack: PostgreSQL, Kafka and the mail inbox as supervised children of this process."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from threading import Event
from types import TracebackType
from typing import Protocol

from duly_local import jars, orphans, ports
from duly_local.child import Child
from duly_local.inbox_child import Inbox
from duly_local.kafka import Kafka
from duly_local.lock import FolderLock
from duly_local.places import State
from duly_local.postgres import Postgres


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where everything is; empty (or None) for what this stack was asked not to start."""

    kafka_bootstrap: str
    database_url: str
    """Of the superuser; connections on loopback need no password."""
    smtp_url: str
    mails: Path | None
    """The folder below which mails appear, one file each."""
    inbox_url: str = ""
    """The page that shows them."""


class Server(Protocol):
    """One child as the stack sees it."""

    name: str
    stop_signal: Signals
    stop_within_s: float
    child: Child | None

    def start(self, cancelled: Event) -> None:
        """Return when it is ready; raise LocalError when it cannot be, or soon after `cancelled` is set."""


class Stack:
    """Everything a state folder holds, running. One process at a time; also a context manager."""

    def __init__(
        self,
        state: Path,
        *,
        kafka: bool = True,
        postgres: bool = True,
        inbox: bool = True,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._state = State.at(state)
        self._wanted = {"kafka": kafka, "postgres": postgres, "inbox": inbox}
        self._say = say
        self._lock = FolderLock(self._state.lock)
        self._servers: list[Server] = []

    def start(self) -> Endpoints:
        """Start what was asked for, side by side, and return when all of it is ready.

        Whatever fails, LocalError or Ctrl-C, nothing is left running.
        """
        self._state.create()
        self._lock.take()
        try:
            if ended := orphans.end(self._state):
                self._say(f"Ended {len(ended)} processes that an earlier run left behind.")
            if self._wanted["kafka"] and not jars.folder().exists():
                jars.install(self._say, jars.lines(self._say))  # not in a thread: Ctrl-C ends a download
            endpoints = self._compose()
            self._start_all()
        except BaseException:
            self.stop()
            raise
        return endpoints

    def check(self) -> None:
        """Raise LocalError, with the end of its log, if a child ended by itself."""
        for child in self._children():
            if not child.running():
                raise child.failure()

    def stop(self) -> None:
        """End all children, each in the way it likes within its time, then by force; and let the folder go."""
        if not self._lock.held:
            return
        try:
            self._ask_to_end()
        finally:
            try:
                for child in self._children():
                    child.kill()
                orphans.end(self._state)  # the backends of a killed postmaster
            finally:
                self._servers = []
                self._lock.release()

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each running child, by its name."""
        return {child.command.name: child.pid for child in self._children() if child.running()}

    def __enter__(self) -> Endpoints:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _compose(self) -> Endpoints:
        names = {"kafka": ["kafka", "controller"], "postgres": ["postgres"], "inbox": ["inbox", "inbox_page"]}
        wanted = [name for server, its in names.items() if self._wanted[server] for name in its]
        chosen = ports.settle(self._state.ports, wanted)
        kafka_bootstrap = database_url = smtp_url = inbox_url = ""
        mails = None
        if self._wanted["kafka"]:
            kafka = Kafka(self._state, client=chosen["kafka"], controller=chosen["controller"], say=self._say)
            self._servers.append(kafka)
            kafka_bootstrap = kafka.bootstrap
        if self._wanted["postgres"]:
            postgres = Postgres(self._state, chosen["postgres"])
            self._servers.append(postgres)
            database_url = postgres.url
        if self._wanted["inbox"]:
            inbox = Inbox(self._state, chosen["inbox"], chosen["inbox_page"])
            self._servers.append(inbox)
            smtp_url, mails, inbox_url = inbox.url, inbox.mails, inbox.page_url
        return Endpoints(kafka_bootstrap, database_url, smtp_url, mails, inbox_url)

    def _start_all(self) -> None:
        cancelled = Event()
        with ThreadPoolExecutor(max_workers=max(1, len(self._servers))) as pool:
            waits = [pool.submit(self._start_one, server, cancelled) for server in self._servers]
            try:
                for ready in as_completed(waits):
                    ready.result()
            except BaseException:
                cancelled.set()
                raise

    def _start_one(self, server: Server, cancelled: Event) -> None:
        began = time.monotonic()
        server.start(cancelled)
        self._say(f"{server.name} is ready ({time.monotonic() - began:.1f} s).")

    def _ask_to_end(self) -> None:
        """Ask all at once, then wait: the slowest decides, not the sum."""
        running = [(server, server.child) for server in self._servers if server.child and server.child.running()]
        for server, child in running:
            child.send(server.stop_signal)
        for server, child in running:
            child.wait(server.stop_within_s)

    def _children(self) -> list[Child]:
        return [server.child for server in self._servers if server.child]
