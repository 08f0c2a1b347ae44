"""Arm: every service in one process on one event loop, as `duly up` runs them, until it is told to end."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import child, watch
from duly_chassis import entries, serving
from duly_chassis.clock import SystemClock
from duly_chassis.logs import configure

READY_S = 60


async def main(arguments: dict[str, Any]) -> None:
    """Start all services, then work whatever the benchmark publishes until so many mails are settled."""
    configure("error")
    own: dict[str, dict[str, Any]] = {
        "messenger": {"mail_opens": "00:00", "mail_closes": "00:00", "loopback_only": True},
        "reminders": {"policy_file": Path("policies/reminders.yaml")},
    }
    services = [
        (entry, entry.settings(**{**arguments["settings"], **own.get(entry.name, {})})) for entry in entries.every()
    ]
    async with serving.together(services, SystemClock()) as running:
        hosts = [host for host, _ in running]
        await serving.settled(hosts, READY_S)
        await child.go(services=[host.service.name for host in hosts])
        (messenger,) = (host for host in hosts if host.service.name == "messenger")
        await watch.until(lambda: watch.sent(messenger) >= arguments["mails"])
        child.say(mails=watch.sent(messenger))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
