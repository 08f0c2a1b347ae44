"""Arm: the small service of state_service.py, which notes when each event was committed."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from benchmarks import child
from benchmarks.state_service import Settings, Store, build, training
from duly_chassis import serving
from duly_chassis.clock import SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_contracts.decode import Fact
from duly_contracts.training import TrainingEvent

READY_S = 60
SETTLE_S = 1.0


async def main(arguments: dict[str, Any]) -> None:
    """Run the service until the benchmark has sent all, then say when what was committed."""
    configure("error")
    settings, clock = Settings(**arguments), SystemClock()
    open_ids: list[str] = []
    committed: dict[str, float] = {}

    async def noted(facts: Sequence[Fact[TrainingEvent]], now: datetime, tx: Store) -> None:
        await training(facts, now, tx)
        open_ids.extend(fact.id for fact in facts)

    def stamped() -> None:
        at = time.monotonic()
        for event_id in open_ids:
            committed.setdefault(event_id, at)
        open_ids.clear()

    service = build(settings, clock)
    listens = tuple(replace(listen, handler=noted) for listen in service.listens)
    host = Host(replace(service, listens=listens), settings, clock)
    host._consumer.committed.insert(0, stamped)  # noqa: SLF001 - called after each batch's commit
    async with serving.running(host):
        await serving.settled([host], READY_S)
        await child.go()
        await asyncio.sleep(SETTLE_S)
        child.say(committed=committed)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
