"""A Slack or a Twilio that lies, as a process of its own: its accept log is the truth of a campaign.

By hand: `python -m tests.faults.vendors slack --log FILE`.
"""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.faults.logs import Log, SyncedLog
from tests.faults.vendors import matrix, slack, twilio
from tests.faults.vendors.dealing import DealingDesk, Lateness
from tests.faults.vendors.desk import Desk
from tests.faults.vendors.http import serve_one
from tests.faults.vendors.lies import Lies, Shares

VENDORS = {"slack": slack.answer, "twilio": twilio.answer}


async def serve(vendor: str, port: int, desk: Desk, seconds_max: float) -> None:
    """Listen on loopback, print the port, and serve until told to stop or until the time is up."""
    answer = VENDORS[vendor]

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # it is the end, and streams would write a traceback of it
            await serve_one(reader, writer, lambda request: answer(request, desk))

    writing = asyncio.create_task(desk.accepts.run())
    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=128)
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds_max):
            await asyncio.wait((asyncio.ensure_future(stop.wait()), writing), return_when="FIRST_COMPLETED")
    server.close()
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing  # an error while writing the log must not end in a server that looks sound


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="A provider that lies; prints its port as one line of JSON.")
    parser.add_argument("vendor", choices=sorted(VENDORS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True, help="accepted messages, one JSON line each")
    parser.add_argument("--faults", type=Path, help="what was done to which message; default: LOG.faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-percent", type=float, default=0, help="attempts answered 429")
    parser.add_argument("--error-percent", type=float, default=0, help="answered 500, half of them after accepting")
    parser.add_argument("--cut-percent", type=float, default=0, help="cut, half of them after accepting")
    parser.add_argument("--asking-percent", type=float, default=0, help="questions refused or cut")
    parser.add_argument("--late-percent", type=float, default=0, help="cut, and accepted a while later")
    parser.add_argument("--deck", type=Path, help="deal each message its fault of this deck; the shares count no more")
    parser.add_argument("--late-s", type=float, nargs=3, default=(3, 6, 8), help="of a deck: answer, acceptance, lists")
    parser.add_argument("--seconds-max", type=float, default=7_200, help="end after this time in any case")
    given = parser.parse_args()
    shares = Shares(
        given.limit_percent, given.error_percent, given.cut_percent, given.asking_percent, given.late_percent
    )
    faults = given.faults or given.log.with_name(given.log.name + ".faults")
    desk = Desk(Lies(given.seed, shares), SyncedLog(given.log), Log(faults))
    if given.deck is not None:
        dealt, late = matrix.read(given.deck), Lateness(*given.late_s)
        desk = DealingDesk(desk.lies, desk.accepts, desk.faults, vendor=given.vendor, deck=dealt, late=late)
    asyncio.run(serve(given.vendor, given.port, desk, given.seconds_max))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
