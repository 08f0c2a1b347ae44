"""One request to a fake provider, under a lie: before or after it is accepted, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from duly_local.lies import REFUSALS_FOR_NOW, Lie, Lies, retry_after

PAGE = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
LATER_MAX = 1_000  # acceptances that are still to come


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
    """What one request asks for, and how this provider words its refusals."""

    accept: Callable[[], Awaitable[Reply]]
    """Takes it, for good, and gives the answer."""
    too_many: Reply
    broken: Reply
    other_id: Callable[[Reply], Reply]
    """Exchanges the id in an answer for one of nothing."""


class Liar:
    """Answers requests under the lies that are drawn for them."""

    def __init__(self, lies: Lies) -> None:
        self.lies = lies
        self._later: set[asyncio.Task[None]] = set()

    async def answer(self, request: web.Request, deed: Deed) -> web.StreamResponse:
        """Give one request its answer, or what stands in its place."""
        lie = self.lies.next()
        if lie is not None and (instead := self._before(request, deed, lie)) is not None:
            return instead
        reply = await deed.accept()
        return reply.response() if lie is None else await self._after(request, deed, lie, reply)

    def _before(self, request: web.Request, deed: Deed, lie: Lie) -> web.Response | None:
        """Answer without having accepted; None for lies that come afterwards."""
        if lie in REFUSALS_FOR_NOW:
            return deed.too_many.response(retry_after(lie))
        if lie is Lie.ERROR_BEFORE:
            return deed.broken.response()
        if lie is Lie.REDIRECT:
            return web.Response(status=302, headers={"Location": f"{request.url.origin()}/elsewhere"})
        if lie is Lie.LATE:
            self._accept_later(deed)
        return cut(request) if lie in {Lie.CUT_BEFORE, Lie.LATE} else None

    async def _after(self, request: web.Request, deed: Deed, lie: Lie, reply: Reply) -> web.Response:
        """Answer for what was accepted, but not with the truth, or not in time."""
        if lie is Lie.SLOW:
            await asyncio.sleep(self.lies.slow_s)
        elif lie is Lie.CUT_AFTER:
            return cut(request)
        elif lie is Lie.HTML:
            return web.Response(text=PAGE, content_type="text/html")
        told = {Lie.ERROR_AFTER: deed.broken, Lie.OTHER_ID: deed.other_id(reply)}
        return told.get(lie, reply).response()

    async def control(self, request: web.Request) -> web.Response:
        """Take a plan of lies, and say which were told so far."""
        if request.can_read_body:
            try:
                plan = await request.json()
                self.lies.change(plan if isinstance(plan, dict) else {"plan": plan})
            except ValueError as error:
                return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"told": self.lies.told, "left": len(self.lies.planned), "later": len(self._later)})

    async def close(self) -> None:
        """Give up what would still be accepted: nobody was told that it would be."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    def _accept_later(self, deed: Deed) -> None:
        async def later() -> None:
            await asyncio.sleep(self.lies.late_s)
            await deed.accept()

        if len(self._later) < LATER_MAX:
            task = asyncio.create_task(later())
            self._later.add(task)
            task.add_done_callback(self._later.discard)


def cut(request: web.Request) -> web.Response:
    """Hang up without a word; the answer that is given back finds nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
