"""A fake Twilio on loopback (`python -m duly_local.twilio_fake`): texts are taken, listed, told back, and lied about.

What it accepted stands in DIR/accepted.jsonl before anybody is told; started again on DIR it still knows all of it. It
stands in for Twilio in demo, replay and tests. Asked under a path prefix or by another account it knows nothing.
"""

import argparse
import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from duly_local.accept_log import AcceptLog
from duly_local.lies import Lies, shares
from duly_local.ports import HOST
from duly_local.skew import dated
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
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            yield fake, f"http://{HOST}:{runner.addresses[0][1]}"
        finally:
            await fake.close()
            await runner.cleanup()
            await texts.log.close()


async def serve(given: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    lies = Lies(seed=given.seed, slow_s=given.slow_s, late_s=given.late_s, lag_s=given.lag_s, blind=given.blind)
    read_lies = Lies(seed=given.seed + 1, slow_s=given.slow_s)
    lies.change({"shares": shares(given.lies)})
    read_lies.change({"shares": shares(given.read_lies)})
    account = {"account": given.account, "token": os.environ.get(TOKEN_VARIABLE, TOKEN)}
    async with serving(given.dir, given.port, lies=lies, read_lies=read_lies, **account) as (_, url):
        print(url, flush=True)  # noqa: T201 - who started it learns that it is ready, and where
        await ended.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m duly_local.twilio_fake", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the HTTP port; 0 takes a free one and says it")
    parser.add_argument("--dir", type=Path, required=True, help=f"where {ACCEPTED} is kept")
    parser.add_argument("--account", default=ACCOUNT, help=f"the account's SID; its token is in {TOKEN_VARIABLE}")
    parser.add_argument("--seed", type=int, default=0, help="what lies are drawn from")
    parser.add_argument("--lies", default="", help="shares of texts, as 429=0.05,cut-after=0.03, or all=0.2")
    parser.add_argument("--read-lies", default="", help="the same for lists")
    parser.add_argument("--slow-s", type=float, default=30.0, help="how long a slow answer takes")
    parser.add_argument("--late-s", type=float, default=5.0, help="how long after its request a late text is accepted")
    parser.add_argument("--lag-s", type=float, default=0.0, help="how much later a text can be read back")
    parser.add_argument("--blind", type=float, default=0.0, help="the share of lists that show nothing of the last 5 s")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
