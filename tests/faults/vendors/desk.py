"""What both lying providers do with a message: lie, accept, remember, and say what was accepted."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.faults.logs import Log, SyncedLog
from tests.faults.vendors.http import Cut, Reply
from tests.faults.vendors.lies import ACCEPTS, CUTS, Lie, Lies

JSON = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Desk:
    """The memory of a provider; what it accepted is on the disk before anybody hears of it."""

    lies: Lies
    accepts: SyncedLog
    faults: Log
    held: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    later: set[asyncio.Task[None]] = field(default_factory=set)

    async def take(self, name: str, entry: dict[str, Any], place: str, honest: Callable[[], str]) -> Reply:
        """Take one message, or lie about it; `honest` writes the answer. Raises Cut."""
        lie = self.lies.about(name)
        if lie is not None:
            self.note(lie, name)
        if lie is None or lie in ACCEPTS:
            await self._accept(entry)
            self.held.setdefault(place, []).append(entry)
        if lie is Lie.LATE:
            self._begin(self._accept_later(entry, place, self.lies.late_s(name)))
        if lie in CUTS:
            raise Cut
        if lie is not None:
            return self.refusal(lie, name)
        return Reply(honest())

    async def ask(self, recipient: str, question: str, honest: Callable[[], str]) -> Reply:
        """Answer a question that changes nothing, or lie. Raises Cut."""
        lie = self.lies.asked(recipient, question)
        if lie is not None:
            self.note(lie, question)
        if lie is Lie.CUT_BEFORE:
            raise Cut
        if lie is not None:
            return self.refusal(lie, question)
        return Reply(honest())

    def refusal(self, lie: Lie, about: str) -> Reply:
        """Write a 429 or a 500; the body of neither says anything."""
        if lie is Lie.LIMIT:
            return Reply('{"ok":false,"error":"ratelimited","code":20429}', 429, JSON | self.lies.retry_after(about))
        return Reply("<html>Internal Server Error</html>", 500, {"Content-Type": "text/html"})

    def note(self, lie: Lie, about: str) -> None:
        """Log the lie before it is told."""
        self.faults.add({"at": time.time(), "deed": lie.value, "about": about})

    def _begin(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(what)
        self.later.add(task)
        task.add_done_callback(self.later.discard)

    async def _accept_later(self, entry: dict[str, Any], place: str, after_s: float) -> None:
        """Take a message of which its sender has heard nothing but the end of the connection."""
        await asyncio.sleep(after_s)
        entry |= {"at": time.time(), "begun": entry["at"]}
        await self._accept(entry)
        self.held.setdefault(place, []).append(entry)

    async def _accept(self, entry: dict[str, Any]) -> None:
        safe = asyncio.Event()
        self.accepts.add_then(entry, safe.set)
        await safe.wait()
