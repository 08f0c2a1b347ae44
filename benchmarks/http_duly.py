"""Arm: chats or texts from due ledger rows through messenger's claim, gate, HTTP and settling, in a service as shipped.

People are spread over so many tenants that no text waits for its sender's rate: the pace is kept, and never binds.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from benchmarks import child, mail_duly, profiling, watch
from duly_chassis import serving
from duly_chassis.clock import SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_contracts.decode import Fact
from messenger.app import build
from messenger.domain import Leg
from messenger.planning.plans import ChannelPolicy
from messenger.settings import Settings
from messenger.store import Store

READY_S = 60
ROWS_MAX = 1_000
TENANTS = 40
MOBILE_FIRST = 447_400_100_000
BETWEEN_S = 1.2  # longer than Slack's pace for one person, so that nobody's next message waits for it


def tenant(number: int) -> str:
    """Return the tenant of a person."""
    return f"bench-{number % TENANTS}"


async def meet(host: Host, numbers: range) -> None:
    """Write people, by messenger's own store."""
    now = datetime.now(UTC)
    people = []
    for number in numbers:
        fact = mail_duly.person(number, now)
        personal = replace(fact.data.personal, mobile=f"+{MOBILE_FIRST + number}")
        record = replace(fact.data, tenant_id=tenant(number), personal=personal)
        people.append(replace(fact, data=record))
    async with host.database.transaction() as connection:
        for first in range(0, len(people), ROWS_MAX):
            await Store(connection).save_contacts(people[first : first + ROWS_MAX])


async def enter(host: Host, channel: str, numbers: Iterable[int]) -> None:
    """Write a due row for each of these people, all in one commit."""
    now = datetime.now(UTC)
    policy = ChannelPolicy("bench", (Leg(channel),))
    requests = [replace(mail_duly.requested(number, now), tenant_id=tenant(number)) for number in numbers]
    facts = [Fact(str(uuid4()), "bench", request, 0) for request in requests]
    async with host.database.transaction() as connection:
        for first in range(0, len(facts), ROWS_MAX):
            await Store(connection).enter(facts[first : first + ROWS_MAX], now, policy)


@asynccontextmanager
async def messenger(settings: dict[str, Any]) -> AsyncIterator[Host]:
    """Run messenger for as long as the block lasts."""
    configure("error")
    made, clock = Settings(**settings), SystemClock()
    host = Host(build(made, clock), made, clock)
    async with serving.running(host):
        await serving.settled([host], READY_S)
        yield host


async def main(arguments: dict[str, Any]) -> None:
    """Send a few to open every connection, then take the time from rows that are due to rows that are settled."""
    channel, messages, warmup = arguments["channel"], arguments["messages"], arguments["warmup"]
    async with messenger(arguments["settings"]) as host:
        await meet(host, range(messages + warmup))
        await enter(host, channel, range(messages, messages + warmup))
        await _timed(host, channel, warmup)
        await child.go()
        for times in range(1, arguments["times"] + 1):
            await asyncio.sleep(BETWEEN_S)
            await enter(host, channel, range(messages))
            with profiling.wanted():
                child.say(**await _timed(host, channel, warmup + times * messages))


async def _timed(host: Host, channel: str, target: int) -> dict[str, float]:
    """Wait until so many are settled; what was sent before the clock started is not counted."""
    began, cpu, before = time.monotonic(), time.process_time(), watch.sent(host, channel)
    host.woken()
    await watch.until(lambda: watch.sent(host, channel) >= target)
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "messages": target - before}


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
