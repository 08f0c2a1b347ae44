"""Arm: messages on Slack at its pace of one a second and person, with and without somebody who has thousands waiting.

Everybody else gets one message in each wave. The first wave with the many is written in one commit with them.
"""

import asyncio
import json
import sys
import time
from typing import Any

from benchmarks import child
from benchmarks.http_duly import TENANTS, enter, meet, messenger, tenant
from duly_chassis.host import Host

MANY_TO = 0
OTHERS = range(1, 101)
WAVE_S = 1.5  # longer than the pace for one person, so that nobody's message of one wave waits for the wave before
LAST_S = 1.5  # what comes last may take so long; all others have until the end


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
            await asyncio.sleep(LAST_S)
            child.say(without=without, came=[came], beside=beside, left=await _forget(host))


async def _wave(host: Host, numbers: Any) -> float:
    await enter(host, "slack", numbers)
    began = time.monotonic()
    host.woken()
    await asyncio.sleep(WAVE_S)
    return began


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
