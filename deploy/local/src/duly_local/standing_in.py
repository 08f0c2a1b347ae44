"""What every provider's stand-in does alike: it listens on loopback, says where, and ends when it is told to."""

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from duly_local.lies import Lies, shares
from duly_local.ports import HOST

CLOSED_WITHIN_S = 1.0


@asynccontextmanager
async def listening(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Serve for as long as the block lasts, on a free port where none is named; gives the address.

    Raises OSError if the port is taken.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLOSED_WITHIN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def ending() -> asyncio.Event:
    """Return an event that SIGTERM or SIGINT sets."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended


def tell(url: str) -> None:
    """Say where it listens: who started it learns that it is ready, too."""
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


def command(module: str, about: str | None, kept: str, sends: str) -> argparse.ArgumentParser:
    """Begin a command line with what all have: a port, a folder for what it has accepted, and lies."""
    parser = argparse.ArgumentParser(prog=f"python -m duly_local.{module}", description=about)
    parser.add_argument("--port", type=int, default=0, help="the HTTP port; 0 takes a free one and says it")
    parser.add_argument("--dir", type=Path, required=True, help=f"where {kept} is kept")
    parser.add_argument("--seed", type=int, default=0, help="what lies are drawn from")
    parser.add_argument("--lies", default="", help=f"shares of {sends}, as 429=0.05,cut-after=0.03, or all=0.2")
    parser.add_argument("--read-lies", default="", help="the same for what only asks")
    parser.add_argument("--lag-s", type=float, default=0.0, help="how much later what was taken can be read back")
    return parser


def told_lies(given: argparse.Namespace, lies: Lies, read_lies: Lies) -> tuple[Lies, Lies]:
    """Put the shares of the command line into the lies about sends and about what only asks."""
    lies.change({"shares": shares(given.lies)})
    read_lies.change({"shares": shares(given.read_lies)})
    return lies, read_lies
