"""Arm: messages on Slack at its pace of one a second and person, with and without somebody who has thousands waiting.

Everybody else gets one message in each wave. The first wave with the many is written in one commit with them.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

from benchmarks import child
from benchmarks.http_duly import BETWEEN_S, TENANTS, enter, meet, messenger, tenant
from duly_chassis.host import Host

MANY_TO = 0
OTHERS = range(1, 101)
LOOK_S = 0.05


async def main(arguments: dict[str, Any]) -> None:
    """Run round after round; says at which moments (monotonic, one clock for all here) each wave was committed."""
    async with messenger(arguments["settings"]) as host:
        await meet(host, range(OTHERS.stop + TENANTS))
        await _wave(host, range(OTHERS.stop + TENANTS))  # finds everybody's place
        await child.go()
        for _ in range(arguments["rounds"]):
            without = [await _wave(host, OTHERS) for _ in range(arguments["waves"])]
            came = await _wave(host, [*[MANY_TO] * arguments["waiting"], *OTHERS])
            beside = [await _wave(host, OTHERS) for _ in range(arguments["waves"])]
            child.say(without=without, came=[came], beside=beside, left=await _forget(host))


async def _wave(host: Host, numbers: Iterable[int]) -> float:
    """Send one wave; returns once the others have theirs and may have their next one at once."""
    await enter(host, "slack", numbers)
    began = time.monotonic()
    host.woken()
    while await _waits(host):  # noqa: ASYNC110 - the database wakes nobody here
        await asyncio.sleep(LOOK_S)
    await asyncio.sleep(BETWEEN_S)
    return began


async def _waits(host: Host) -> bool:
    async with host.database.transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT FROM ledger
             WHERE state IN ('due', 'posting') AND channel = 'slack' AND (tenant_id, person_id) <> ($1, $2) LIMIT 1
            """,
            tenant(MANY_TO),
            f"e-{MANY_TO}",
        )
    return bool(rows)


async def _forget(host: Host) -> int:
    """Delete what still waits, so that it is in the way of nothing that is measured later; returns how many it were."""
    async with host.database.transaction() as connection:
        rows = await connection.fetch(
            """
            WITH gone AS (DELETE FROM ledger WHERE tenant_id = $1 AND person_id = $2 AND state = 'due' RETURNING 1)
            SELECT count(*) AS number FROM gone
            """,
            tenant(MANY_TO),
            f"e-{MANY_TO}",
        )
    return int(rows[0]["number"])


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
