"""A fake Twilio on loopback (`python -m duly_local.twilio_fake`): texts are taken, listed, told back, and lied about.

What it accepted stands in DIR/accepted.jsonl before anybody is told; started again on DIR it still knows all of it. It
stands in for Twilio in demo, replay and tests. Asked under a path prefix or by another account it knows nothing.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from duly_local.accept_log import AcceptLog
from duly_local.lies import Lies
from duly_local.skew import dated
from duly_local.standing_in import command, ending, listening, tell, told_lies
from duly_local.twilio_callbacks import Callbacks, session
from duly_local.twilio_methods import TwilioFake
from duly_local.twilio_texts import Texts

ACCOUNT, TOKEN = "AC" + "0" * 32, "fake-twilio-token"
TOKEN_VARIABLE = "FAKE_TWILIO_TOKEN"  # noqa: S105 - a name
ACCEPTED = "accepted.jsonl"
FORM_BYTES_MAX = 64 * 1024


@asynccontextmanager
async def serving(
    folder: Path,
    port: int = 0,
    *,
    lies: Lies | None = None,
    read_lies: Lies | None = None,
    account: str = ACCOUNT,
    token: str = TOKEN,
) -> AsyncIterator[tuple[TwilioFake, str]]:
    """Serve for as long as the block lasts; gives the fake and its address. Raises OSError if the port is taken."""
    async with session() as out:
        texts = Texts(account, AcceptLog(folder / ACCEPTED))
        fake = TwilioFake(texts, Callbacks(texts, token, out), lies or Lies(), read_lies or Lies(), token)
        app = web.Application(middlewares=[fake.guard], client_max_size=FORM_BYTES_MAX)
        app.add_routes(fake.routes())
        app.on_response_prepare.append(dated(lambda: fake.account.ahead_s))
        try:
            async with listening(app, port) as url:
                try:
                    yield fake, url
                finally:
                    await fake.close()
        finally:
            await texts.log.close()


async def serve(given: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = ending()
    lies = Lies(seed=given.seed, slow_s=given.slow_s, late_s=given.late_s, lag_s=given.lag_s, blind=given.blind)
    lies, read_lies = told_lies(given, lies, Lies(seed=given.seed + 1, slow_s=given.slow_s))
    account = {"account": given.account, "token": os.environ.get(TOKEN_VARIABLE, TOKEN)}
    async with serving(given.dir, given.port, lies=lies, read_lies=read_lies, **account) as (_, url):
        tell(url)
        await ended.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = command("twilio_fake", __doc__, ACCEPTED, "texts")
    parser.add_argument("--account", default=ACCOUNT, help=f"the account's SID; its token is in {TOKEN_VARIABLE}")
    parser.add_argument("--slow-s", type=float, default=30.0, help="how long a slow answer takes")
    parser.add_argument("--late-s", type=float, default=5.0, help="how long after its request a late text is accepted")
    parser.add_argument("--blind", type=float, default=0.0, help="the share of lists that show nothing of the last 5 s")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
