"""Arm: events through Duly's whole consumer layer, in a service as it is shipped."""

import asyncio
import json
import sys
import time

import psutil

from benchmarks import child, profiling, watch
from benchmarks.state_service import Settings, build
from duly_chassis import serving
from duly_chassis.clock import SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure

QUIET_S = 1.0  # longer than a fetch may wait at the broker, so that none is under way when records come
READY_S = 60


async def main(arguments: dict[str, object]) -> None:
    """Apply the warm-up, hold the consumer while the broker is filled, then let it go and take the time."""
    configure("error")
    warmup, events, outputs = (arguments[name] for name in ("warmup", "events", "outputs"))
    assert isinstance(warmup, list) and isinstance(events, int) and isinstance(outputs, int)  # noqa: PT018
    settings = Settings(**arguments["settings"])  # type: ignore[arg-type]  # JSON from our own parent
    clock = SystemClock()
    host = Host(build(settings, clock), settings, clock)
    async with serving.running(host):
        await serving.settled([host], READY_S)
        await watch.reached(host, *warmup)
        consumer = host._subscriber.consumer  # noqa: SLF001 - no user of a host ever holds it
        places = consumer.assignment()
        consumer.pause(*places)
        await asyncio.sleep(QUIET_S)
        await child.go()
        with profiling.wanted():
            began, cpu = time.monotonic(), time.process_time()
            consumer.resume(*places)
            await watch.reached(host, warmup[0] + events, warmup[1] + outputs)
            seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
        child.say(seconds=seconds, cpu_seconds=cpu_seconds, rss_mb=psutil.Process().memory_info().rss / 1e6)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
