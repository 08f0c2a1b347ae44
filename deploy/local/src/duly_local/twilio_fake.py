"""A stand-in for Twilio on this machine, which lies on demand: `python -m duly_local.twilio_fake --log FILE`.

What it accepted is in FILE, one line each, on the disk before anybody is told; FILE.faults says what was done to which
request. Started again on the same FILE it still knows all of it. It listens on loopback only.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web

from duly_local.accepts import AcceptLog
from duly_local.lies import Lie, Lies, RetryAfter, shares_of
from duly_local.lying import Liar
from duly_local.ports import HOST
from duly_local.twilio_callbacks import Callbacks, session
from duly_local.twilio_methods import TwilioFake
from duly_local.twilio_texts import Texts

ACCOUNT, TOKEN = "AC" + "0" * 32, "fake-twilio-token"
TOKEN_VARIABLE = "FAKE_TWILIO_TOKEN"  # noqa: S105 - a name
FORM_BYTES_MAX = 64 * 1024
STOP_WITHIN_S = 1.0


@asynccontextmanager
async def serving(
    log: Path,
    lies: Lies | None = None,
    port: int = 0,
    *,
    account: str = ACCOUNT,
    token: str = TOKEN,
    slow_s: float = 15,
    late_s: float = 5,
    lag_s: float = 0,
) -> AsyncIterator[tuple[TwilioFake, str]]:
    """Serve for as long as the block lasts; gives the fake and its address. Raises OSError if the port is taken."""
    async with session() as out:
        texts, faults = Texts(account, log), AcceptLog(log.with_name(f"{log.name}.faults"))
        callbacks = Callbacks(texts, token, out)
        liar = Liar(lies or Lies(), faults, slow_s=slow_s, late_s=late_s)
        fake = TwilioFake(texts, callbacks, liar, token, lag_s)
        app = web.Application(middlewares=[fake.guard], client_max_size=FORM_BYTES_MAX)
        app.add_routes(fake.routes())
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=STOP_WITHIN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            yield fake, f"http://{HOST}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
            await liar.close()
            await callbacks.close()
            texts.log.close()
            faults.close()


async def serve(given: argparse.Namespace) -> None:
    """Print the address as one line of JSON, and serve until told to stop or until the time is up."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    lies = Lies(given.seed, given.shares, given.read_shares, given.forms)
    account = {"account": given.account, "token": os.environ.get(TOKEN_VARIABLE, TOKEN)}
    times = {"slow_s": given.slow_s, "late_s": given.late_s, "lag_s": given.lag_s}
    async with serving(given.log, lies, given.port, **account, **times) as (_, url):
        sys.stdout.write(json.dumps({"url": url, "port": int(url.rpartition(":")[2])}) + "\n")
        sys.stdout.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(given.seconds_max):
                await stop.wait()


def forms(text: str) -> tuple[RetryAfter, ...]:
    """Read forms of Retry-After; raises ValueError."""
    return tuple(RetryAfter(word.strip()) for word in text.split(",") if word.strip())


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m duly_local.twilio_fake", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the port; 0 takes a free one")
    parser.add_argument("--log", type=Path, required=True, help="accepted texts, one JSON line each")
    parser.add_argument("--account", default=ACCOUNT, help=f"the account's SID; its token is in {TOKEN_VARIABLE}")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same lies")
    kinds = ", ".join(Lie)
    parser.add_argument("--shares", type=shares_of, default={}, help=f"percent of texts, as late=2,slow=1: {kinds}")
    parser.add_argument("--read-shares", type=shares_of, default={}, help="the same for lists")
    known = ", ".join(RetryAfter)
    parser.add_argument("--forms", type=forms, default=tuple(RetryAfter), help=f"of Retry-After, with commas: {known}")
    parser.add_argument("--slow-s", type=float, default=15, help="how long a slow answer takes")
    parser.add_argument("--late-s", type=float, default=5, help="how long after its request a late one is accepted")
    parser.add_argument("--lag-s", type=float, default=0, help="how long a text is missing from lists")
    parser.add_argument("--seconds-max", type=float, default=7_200, help="end after this time in any case")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
