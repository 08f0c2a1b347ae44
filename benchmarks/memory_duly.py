"""Arm: some services in one process on one event loop, as `duly up` runs all of them, until it is told to end."""

import asyncio
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import child, watch
from duly_chassis import entries, serving
from duly_chassis.clock import SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure

READY_S = 60


async def main(arguments: dict[str, Any]) -> None:
    """Start the services and work whatever is given; messenger tells when so many mails are settled, each time."""
    configure("error")
    own: dict[str, dict[str, Any]] = {
        "messenger": {"mail_opens": "00:00", "mail_closes": "00:00", "loopback_only": True},
        "reminders": {"policy_file": Path("policies/reminders.yaml")},
    }
    services = [
        (entry, entry.settings(**arguments["settings"], **own.get(entry.name, {})))
        for entry in map(entries.named, arguments["services"])
    ]
    async with serving.together(services, SystemClock()) as running:
        await serving.settled([host for host, _ in running], READY_S)
        await child.go(addresses={host.service.name: address for host, address in running})
        messengers = [host for host, _ in running if host.service.name == "messenger"]
        for messenger in messengers:
            for mails in arguments["mails"]:
                await watch.until(partial(settled, messenger, mails))
                child.say(mails=mails)
        await child.until_told()


def settled(messenger: Host, mails: int) -> bool:
    """Tell whether so many mails were accepted and written down."""
    return watch.sent(messenger) >= mails


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
