"""Arm: one of several processes of one service, which share the events; each says what it did, and when the last."""

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

STILL_S = 3.0  # so long without work: there is none left for this process


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
        await still(host)
        places = consumer.assignment()
        consumer.pause(*places)
        await asyncio.sleep(QUIET_S)
        before = watch.handled(host), watch.published(host)
        await child.go()
        began, idle = time.monotonic(), idle_s()
        consumer.resume(*places)
        ended, idle_then = await still(host)
        child.say(
            facts=watch.handled(host) - before[0],
            outputs=watch.published(host) - before[1],
            began=began,
            ended=ended,
            cores_busy=(psutil.cpu_count() or 1) - (idle_then - idle) / (ended - began),
        )


async def still(host: Host) -> tuple[float, float]:
    """Wait until it has worked and works no more; returns when it last did, and the machine's idle time then.

    The relay of one process publishes what the other has left too, so one may have facts and no outputs.
    """
    begun = known = watch.handled(host), watch.published(host)
    at, idle = time.monotonic(), idle_s()
    while known == begun or time.monotonic() - at < STILL_S:
        await asyncio.sleep(watch.LOOK_S)
        now = watch.handled(host), watch.published(host)
        if now != known:
            known, at, idle = now, time.monotonic(), idle_s()
    return at, idle


def idle_s() -> float:
    """Return how long this machine's cores have been idle, added up."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
