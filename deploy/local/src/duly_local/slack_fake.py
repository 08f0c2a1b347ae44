"""A fake Slack on loopback (`python -m duly_local.slack_fake`): messages are taken, read back, and lied about.

What it accepted stands in DIR/accepted.jsonl before anybody is told. It stands in for Slack in demo, replay and
tests; PEERS and the real Slack are what proves an adapter, this proves what happens when they misbehave.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from duly_local.lies import Lies
from duly_local.skew import dated
from duly_local.slack_methods import SlackFake
from duly_local.slack_state import SCOPES, Workspace
from duly_local.standing_in import command, ending, listening, tell, told_lies

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
    try:
        async with listening(app, port) as url:
            try:
                yield fake, url
            finally:
                await fake.close()
    finally:
        await workspace.close()


async def serve(given: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = ending()
    token = os.environ.get(TOKEN_VARIABLE, "")
    workspace = Workspace(given.dir, token=token, scopes=given.scopes, unknown=given.unknown, gone=given.gone)
    lies, read_lies = told_lies(given, Lies(seed=given.seed, lag_s=given.lag_s), Lies(seed=given.seed + 1))
    async with serving(workspace, given.port, lies=lies, read_lies=read_lies) as (_, url):
        tell(url)
        await ended.wait()


def words(text: str) -> frozenset[str]:
    """Read a list with commas."""
    return frozenset(word.strip().casefold() for word in text.split(",") if word.strip())


def main() -> None:
    """Read the command line and serve."""
    parser = command("slack_fake", __doc__, "accepted.jsonl", "posts")
    parser.add_argument("--scopes", type=words, default=SCOPES, help=f"the token's; it is in {TOKEN_VARIABLE}, or any")
    parser.add_argument("--unknown", type=words, default=frozenset(), help="addresses that nobody has, with commas")
    parser.add_argument("--gone", type=words, default=frozenset(), help="addresses of deactivated people, with commas")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
