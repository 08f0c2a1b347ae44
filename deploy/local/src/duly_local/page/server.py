"""The page as one server on the event loop of the inbox."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from duly_local.page.guard import guard
from duly_local.page.services import Services
from duly_local.page.shelf import Shelf
from duly_local.page.views import Views

STOP_WITHIN_S = 1.0


@asynccontextmanager
async def serving(
    mails: Path, host: str, port: int, *, services: Services, names: Collection[str] = ()
) -> AsyncIterator[int]:
    """Serve the mails below `mails` for as long as the block lasts; gives the port. Raises OSError if it is taken."""
    views = Views(Shelf(mails), services)
    app = web.Application(middlewares=[guard(names, views.refused)])
    app.add_routes(views.routes())
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=STOP_WITHIN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await views.search.close()
        await runner.cleanup()
