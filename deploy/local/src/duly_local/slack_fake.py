"""A fake Slack on loopback (`python -m duly_local.slack_fake`): messages are taken, read back, and lied about.

What it accepted stands in DIR/accepted.jsonl before anybody is told. It stands in for Slack in demo, replay and
tests; PEERS and the real Slack are what proves an adapter, this proves what happens when they misbehave.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from duly_local.lies import Lies, shares
from duly_local.ports import HOST
from duly_local.skew import dated
from duly_local.slack_methods import SlackFake
from duly_local.slack_state import SCOPES, Workspace

TOKEN_VARIABLE = "FAKE_SLACK_TOKEN"  # noqa: S105 - a name
BODY_BYTES_MAX = 256 * 1024


@asynccontextmanager
async def serving(
    workspace: Workspace, port: int = 0, *, lies: Lies | None = None, read_lies: Lies | None = None
) -> AsyncIterator[tuple[SlackFake, str]]:
    """Serve for as long as the block lasts; gives the fake and its address. Raises OSError if the port is taken."""
    fake = SlackFake(workspace, lies or Lies(), read_lies or Lies())
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.add_routes(fake.routes())
    app.on_response_prepare.append(dated(lambda: workspace.ahead_s))
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield fake, f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await fake.close()
        await runner.cleanup()
        await workspace.close()


async def serve(given: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    token = os.environ.get(TOKEN_VARIABLE, "")
    workspace = Workspace(given.dir, token=token, scopes=given.scopes, unknown=given.unknown, gone=given.gone)
    lies, read_lies = Lies(seed=given.seed, lag_s=given.lag_s), Lies(seed=given.seed + 1)
    lies.change({"shares": shares(given.lies)})
    read_lies.change({"shares": shares(given.read_lies)})
    async with serving(workspace, given.port, lies=lies, read_lies=read_lies) as (_, url):
        sys.stdout.write(f"{url}\n")  # who started it learns that it is ready, and where
        sys.stdout.flush()
        await ended.wait()


def words(text: str) -> frozenset[str]:
    """Read a list with commas."""
    return frozenset(word.strip().casefold() for word in text.split(",") if word.strip())


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m duly_local.slack_fake", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the HTTP port; 0 takes a free one and says it")
    parser.add_argument("--dir", type=Path, required=True, help="where accepted.jsonl is kept")
    parser.add_argument("--scopes", type=words, default=SCOPES, help=f"the token's; it is in {TOKEN_VARIABLE}, or any")
    parser.add_argument("--unknown", type=words, default=frozenset(), help="addresses that nobody has, with commas")
    parser.add_argument("--gone", type=words, default=frozenset(), help="addresses of deactivated people, with commas")
    parser.add_argument("--seed", type=int, default=0, help="what lies are drawn from")
    parser.add_argument("--lies", default="", help="shares of posts, as 429=0.05,cut-after=0.03, or all=0.2")
    parser.add_argument("--read-lies", default="", help="the same for what is asked before a post and read back")
    parser.add_argument("--lag-s", type=float, default=0.0, help="how much later a message can be read back")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
