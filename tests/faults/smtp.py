"""An SMTP server that lies, as a process of its own: its accept log is the truth of every campaign.

It refuses some mails for now and cuts some connections, by the seed (plan.py); with all shares at 0 it is
honest. What it accepted is on the disk before its 250 leaves.
By hand: `python -m tests.faults.smtp --log FILE`.
"""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.faults.dialogue import Dialogue, Mailbox
from tests.faults.logs import Log, SyncedLog
from tests.faults.plan import Plan, Shares
from tests.faults.tls import Contexts
from tests.faults.vendors import matrix
from tests.faults.vendors.posting import DealtPlan


async def serve(
    port: int, log: Path, faults: Path, plan: Plan, seconds_max: float, *, turns: bool, tls: bool = False
) -> None:
    """Listen on loopback, print the port, and serve until told to stop or until the time is up."""
    loop = asyncio.get_running_loop()
    mailbox = Mailbox(plan, SyncedLog(log), Log(faults), Contexts.read() if tls else None)
    writing = asyncio.create_task(mailbox.accepts.run())
    turning = asyncio.create_task(mailbox.turn()) if turns else None
    server = await loop.create_server(lambda: Dialogue(mailbox), "127.0.0.1", port, backlog=128)
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds_max):
            await asyncio.wait((asyncio.ensure_future(stop.wait()), writing), return_when="FIRST_COMPLETED")
    server.close()
    if turning is not None:
        turning.cancel()
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing  # an error while writing the log must not end in a server that looks sound


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="An SMTP server that lies; prints its port as one line of JSON.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True, help="accepted mails, one JSON line each")
    parser.add_argument("--faults", type=Path, help="what was done to which mail; default: LOG.faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--refuse-percent", type=float, default=0, help="mails refused for now, 451 or 421")
    parser.add_argument("--cut-before-percent", type=float, default=0, help="mails cut before they were accepted")
    parser.add_argument("--cut-after-percent", type=float, default=0, help="mails accepted, their 250 never sent")
    parser.add_argument("--refuse-good-percent", type=float, default=0, help="mails refused for good, 554")
    parser.add_argument("--drip-percent", type=float, default=0, help="mails accepted, their 250 byte by byte")
    parser.add_argument("--tls-percent", type=float, default=0, help="connections that come to nothing at STARTTLS")
    parser.add_argument("--tls", action="store_true", help="offer STARTTLS, and take no mail without it")
    parser.add_argument("--gentle", action="store_true", help="refuse no mail for now more than once")
    parser.add_argument("--lie-mails", type=int, help="be honest after so many attempts; default: lie to the end")
    parser.add_argument("--turns", action="store_true", help="note before when the first bytes cannot have arrived")
    parser.add_argument("--deck", type=Path, help="deal each mail its fault of this deck; the shares count no more")
    parser.add_argument("--seconds-max", type=float, default=7_200, help="end after this time in any case")
    given = parser.parse_args()
    shares = Shares(
        given.refuse_percent,
        given.cut_before_percent,
        given.cut_after_percent,
        given.refuse_good_percent,
        given.drip_percent,
        given.tls_percent,
    )
    faults = given.faults or given.log.with_name(given.log.name + ".faults")
    plan = Plan(given.seed, shares, gentle=given.gentle, lie_mails=given.lie_mails)
    if given.deck is not None:
        plan = DealtPlan(given.seed, shares, deck=matrix.read(given.deck))
    asyncio.run(serve(given.port, given.log, faults, plan, given.seconds_max, turns=given.turns, tls=given.tls))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
