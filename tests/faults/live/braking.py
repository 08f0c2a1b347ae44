"""Brakes as a person meets them: seen with `duly brakes list`, released with a name and a reason."""

import asyncio
import subprocess
from collections.abc import Sequence

from tests.faults.live.place import HOST, environment
from tests.faults.live.replica import Unanswered
from tests.faults.live.rig import Rig
from tests.faults.processes import PROJECT, duly_beside_python
from tests.faults.rules import Violation

NOTICED_WITHIN_S = 120
LOOK_EVERY_S = 0.5
RELEASE_WITHIN_S = 60


async def noticed_and_released(rig: Rig, services: Sequence[str], brake: str) -> None:
    """Wait until each service is held by the brake, then release it; one that is not held has noticed nothing."""
    for service in services:
        if await _held(rig, service, brake):
            rig.note("brake held", service, brake=brake)
            await asyncio.to_thread(release, rig, service, brake)
        else:
            rig.broken.append(Violation("unnoticed", f"{service} is not held by {brake}"))


def release(rig: Rig, service: str, brake: str) -> None:
    """Release a brake by the command."""
    where = {f"DULY_{one.service.upper()}_ADDRESS": f"http://{HOST}:{one.port}" for one in rig.replicas}
    words = ["brakes", "release", service, brake, "--by", "Ada", "--reason", "campaign"]
    command = [duly_beside_python(), *words, "--state", str(rig.place.root / "none")]
    done = subprocess.run(
        command, check=False, capture_output=True, cwd=PROJECT, env=environment(where), timeout=RELEASE_WITHIN_S
    )
    if done.returncode != 0:
        rig.broken.append(Violation("unreleased", f"{service} {brake}: {done.stderr.decode(errors='replace')[-300:]}"))


async def _held(rig: Rig, service: str, brake: str) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + NOTICED_WITHIN_S
    while loop.time() < deadline:
        for replica in rig.of(service):
            try:
                if brake in {one["name"] for one in await replica.json("/v1/brakes")}:
                    return True
            except Unanswered:
                continue
        await asyncio.sleep(LOOK_EVERY_S)
    return False
