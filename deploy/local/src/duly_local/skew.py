"""A fake provider's wrong clock: the date that its answers bear."""

from collections.abc import Awaitable, Callable
from email.utils import format_datetime

from aiohttp import web

from duly_local.accept_log import wall_now


def dated(ahead_s: Callable[[], float]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return what writes the date of an answer, as far ahead as is wanted at that moment."""

    async def write(_request: web.Request, response: web.StreamResponse) -> None:
        if ahead_s():
            response.headers["Date"] = format_datetime(wall_now(ahead_s()), usegmt=True)

    return write
