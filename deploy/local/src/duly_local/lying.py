"""One request to a provider's stand-in, under the lie that is drawn for it: refused, cut, done late, or misreported."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from duly_local.accepts import AcceptLog
from duly_local.lies import Lie, Lies, retry_after, wall

PAGE = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
LATER_MAX = 1_000  # what is still to be accepted
UNDONE = frozenset({Lie.TOO_MANY, Lie.ERROR_BEFORE, Lie.CUT_BEFORE, Lie.REDIRECT, Lie.LATE})
"""What is answered, or not, without having done it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not on the wire yet."""

    body: Mapping[str, Any]
    status: int = 200

    def response(self, headers: Mapping[str, str] | None = None) -> web.Response:
        """Write it as JSON."""
        return web.json_response(dict(self.body), status=self.status, headers=headers)


@dataclass(frozen=True, slots=True)
class Deed:
    """What one request asks for, and how this provider words what goes wrong."""

    subject: str
    """What it is about: no subject is lied to for ever."""
    do: Callable[[Lie | None], Awaitable[Reply]]
    """Does it, for good, and gives the answer."""
    too_many: Reply
    broken: Reply
    misled: Callable[[Lie, Reply], Reply] = lambda _lie, reply: reply
    """Words an answer that is about something else, or says that something inside went wrong."""
    read: bool = False


class Liar:
    """Answers requests under lies."""

    def __init__(self, lies: Lies, faults: AcceptLog, *, slow_s: float = 15, late_s: float = 5) -> None:
        self.lies = lies
        self.late: set[asyncio.Task[None]] = set()
        """What is still to be done."""
        self.hurry = asyncio.Event()
        """Set: what is late comes now, and slow answers too."""
        self._faults = faults
        self._slow_s, self._late_s = slow_s, late_s

    async def answer(self, request: web.Request, deed: Deed) -> web.StreamResponse:
        """Give one request its answer, or what stands in its place."""
        lie = self.lies.next(deed.subject, read=deed.read)
        if lie is not None:
            await self._faults.add({"at": wall().isoformat(), "subject": deed.subject, "lie": lie.value})
        if lie in UNDONE:
            return self._undone(request, deed, lie)
        reply = await deed.do(lie)
        return reply.response() if lie is None else await self._misreported(request, deed, lie, reply)

    async def close(self) -> None:
        """Do what was to be done late."""
        self.hurry.set()
        await asyncio.gather(*self.late)

    def _undone(self, request: web.Request, deed: Deed, lie: Lie) -> web.Response:
        if lie is Lie.TOO_MANY:
            return deed.too_many.response(retry_after(self.lies.form(deed.subject), wall()))
        if lie is Lie.ERROR_BEFORE:
            return deed.broken.response()
        if lie is Lie.REDIRECT:
            return web.Response(status=302, headers={"Location": f"{request.url.origin()}/elsewhere"})
        if lie is Lie.LATE and len(self.late) < LATER_MAX:
            task = asyncio.create_task(self._do_late(deed))
            self.late.add(task)
            task.add_done_callback(self.late.discard)
        return cut(request)

    async def _misreported(self, request: web.Request, deed: Deed, lie: Lie, reply: Reply) -> web.Response:
        match lie:
            case Lie.CUT_AFTER:
                return cut(request)
            case Lie.NOT_JSON:
                return web.Response(text=PAGE, content_type="text/html")
            case Lie.ERROR_AFTER:
                return deed.broken.response()
            case Lie.SLOW:
                await self._wait(self._slow_s)
        return deed.misled(lie, reply).response()

    async def _do_late(self, deed: Deed) -> None:
        await self._wait(self._late_s)
        await deed.do(None)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.hurry.wait()


def cut(request: web.Request) -> web.Response:
    """Hang up without a word; the answer that is given back finds nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
