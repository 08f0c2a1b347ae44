"""Arm: roster as shipped; files are sent to it over HTTP, as the command does, and it publishes what it tells."""

import asyncio
import json
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import child, profiling, watch
from duly_chassis import entries, serving
from duly_chassis.clock import SystemClock
from duly_chassis.logs import configure

READY_S = 60
SEND_S = 600


async def main(arguments: dict[str, Any], first: bytes, again: bytes) -> None:
    """Start the service, then send both files; each time until the answer, which is after the commit."""
    configure("error")
    entry = entries.named("roster")
    async with serving.together([(entry, entry.settings(**arguments["settings"]))], SystemClock()) as running:
        ((host, address),) = running
        await serving.settled([host], READY_S)
        await child.go()
        with profiling.wanted():
            began = time.monotonic()
            people = await send(address, arguments["tenant"], first)
            first_s = time.monotonic() - began
        await watch.until(lambda: watch.published(host) >= people)
        published_s = time.monotonic() - began
        began = time.monotonic()
        changed = await send(address, arguments["tenant"], again)
        again_s = time.monotonic() - began
        child.say(first=first_s, again=again_s, first_published=published_s, changed=changed)


async def send(address: str, tenant: str, content: bytes) -> int:
    """Send a file; returns how many people it changed."""
    query = {"tenant": tenant, "complete": "1", "name": "roster.csv"}
    timeout = aiohttp.ClientTimeout(total=SEND_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(address + "/v1/roster/import", params=query, data=BytesIO(content)) as response,
    ):
        answer = await response.json()
    if answer.get("state") != "applied":
        raise RuntimeError(f"not applied: {answer.get('state', answer.get('error'))}")
    return sum(answer["counts"].values())


if __name__ == "__main__":
    words = json.loads(sys.argv[1])
    asyncio.run(main(words, *(Path(name).read_bytes() for name in words["files"])))
