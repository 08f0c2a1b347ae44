"""Arm: one of several processes of one service, which share the events; each says how far it is."""

import asyncio
import json
import sys
import time
from typing import Any

import psutil

from benchmarks import child, watch
from benchmarks.state_duly import QUIET_S, READY_S
from benchmarks.state_service import Settings, build
from duly_chassis import serving
from duly_chassis.clock import SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure

SAY_S = 0.02  # the time is right by this much


async def main(arguments: dict[str, Any]) -> None:
    """Wait for its share of the partitions, warm up, hold the consumer while the broker is filled, then let it go."""
    configure("error")
    settings, clock = Settings(**arguments["settings"]), SystemClock()
    host = Host(build(settings, clock), settings, clock)
    async with serving.running(host):
        await serving.settled([host], READY_S)
        consumer = host._subscriber.consumer  # noqa: SLF001 - no user of a host ever holds it
        await watch.until(lambda: len(consumer.assignment()) == arguments["partitions"])
        child.say(shared=True)
        await reporting(host)
        places = consumer.assignment()
        consumer.pause(*places)
        await asyncio.sleep(QUIET_S)
        await child.go()
        child.say(began=True, at=time.monotonic(), idle_s=idle_s())
        consumer.resume(*places)
        await reporting(host)


async def reporting(host: Host) -> None:
    """Say what it has done so far and when it last did, over and over, until told otherwise.

    The relay of one process publishes what the other has left too, so one may have all outputs and few facts.
    """
    told = asyncio.create_task(child.until_told())
    known, at, idle, last = (-1, -1), 0.0, 0.0, 0.0
    while not told.done():
        done = watch.handled(host), watch.published(host)
        if done[0] != known[0]:
            at, idle = time.monotonic(), idle_s()
        if done != known:
            known, last = done, time.monotonic()
        child.say(facts=done[0], outputs=done[1], at=at, idle_s=idle, last=last)
        await asyncio.sleep(SAY_S)


def idle_s() -> float:
    """Return how long this machine's cores have been idle, added up."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
