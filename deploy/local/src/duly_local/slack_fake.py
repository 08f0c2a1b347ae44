"""A stand-in for Slack on this machine, which lies on demand: `python -m duly_local.slack_fake --port 4100 --log FILE`.

What it accepted is in FILE, one line each, on the disk before it answers; FILE.faults says what was done to which
request. Started again on the same FILE it still knows all of it. It listens on loopback only.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from aiohttp import web

from duly_local.lies import Lie, Lies, RetryAfter, shares_of
from duly_local.ports import HOST
from duly_local.slack_methods import SlackFake
from duly_local.slack_state import SCOPES, Workspace

STOP_WITHIN_S = 1.0


@asynccontextmanager
async def serving(fake: SlackFake, port: int = 0) -> AsyncIterator[str]:
    """Serve for as long as the block lasts; gives the address. Raises OSError if the port is taken."""
    runner = web.AppRunner(fake.app(), access_log=None, handle_signals=False, shutdown_timeout=STOP_WITHIN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await fake.close()


async def serve(given: argparse.Namespace) -> None:
    """Print the address as one line of JSON, and serve until told to stop or until the time is up."""
    workspace = Workspace(
        given.log,
        token=given.token,
        scopes=given.scopes,
        unknown=given.unknown,
        gone=given.gone,
        lag=timedelta(seconds=given.lag_s),
    )
    lies = Lies(given.seed, given.shares, given.read_shares, given.forms)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(SlackFake(workspace, lies, slow_s=given.slow_s, late_s=given.late_s), given.port) as url:
        sys.stdout.write(json.dumps({"url": url, "port": int(url.rpartition(":")[2])}) + "\n")
        sys.stdout.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(given.seconds_max):
                await stop.wait()


def words(text: str) -> tuple[str, ...]:
    """Read a list with commas."""
    return tuple(word.strip().casefold() for word in text.split(",") if word.strip())


def forms(text: str) -> tuple[RetryAfter, ...]:
    """Read forms of Retry-After; raises ValueError."""
    return tuple(RetryAfter(word) for word in words(text))


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m duly_local.slack_fake", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the port; 0 takes a free one")
    parser.add_argument("--log", type=Path, required=True, help="accepted messages, one JSON line each")
    parser.add_argument("--token", default="", help="the token that is taken; without it any is")
    parser.add_argument("--scopes", type=words, default=SCOPES, help="the token's scopes, with commas")
    parser.add_argument("--unknown", type=words, default=(), help="addresses that nobody has, with commas")
    parser.add_argument("--gone", type=words, default=(), help="addresses of deactivated people, with commas")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same lies")
    kinds = ", ".join(Lie)
    parser.add_argument("--shares", type=shares_of, default={}, help=f"percent of posts, as late=2,slow=1: {kinds}")
    parser.add_argument("--read-shares", type=shares_of, default={}, help="the same for all other methods")
    known = ", ".join(RetryAfter)
    parser.add_argument("--forms", type=forms, default=tuple(RetryAfter), help=f"of Retry-After, with commas: {known}")
    parser.add_argument("--slow-s", type=float, default=15, help="how long a slow answer takes")
    parser.add_argument("--late-s", type=float, default=5, help="how long after its request a late one is accepted")
    parser.add_argument("--lag-s", type=float, default=0, help="how long a message is missing from the history")
    parser.add_argument("--seconds-max", type=float, default=7_200, help="end after this time in any case")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
