"""Brakes as a person meets them: seen with `duly brake list`, released with a name and a reason."""

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
RELEASE_WITHIN_S = 120


async def noticed(rig: Rig, services: Sequence[str], brake: str) -> None:
    """Wait until each service is held by the brake; one that is not has noticed nothing."""
    for service in services:
        if await _held(rig, service, brake):
            rig.note("brake held", service, brake=brake)
        else:
            rig.broken.append(Violation("unnoticed", f"{service} is not held by {brake}"))


async def release_all(rig: Rig, within_s: float = NOTICED_WITHIN_S) -> None:
    """Release whatever holds any service, until all are ready: a gap may be met twice, and by both services."""
    deadline = asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < deadline:
        for service in dict.fromkeys(replica.service for replica in rig.replicas):
            for brake in await held_by(rig, service):
                rig.note("brake released", service, brake=brake)
                await asyncio.to_thread(release, rig, service, brake)
        if {replica.name for replica in rig.replicas} <= rig.ready:
            return
        await asyncio.sleep(LOOK_EVERY_S)
    rig.broken.append(Violation("unreleased", f"not ready: {sorted({one.name for one in rig.replicas} - rig.ready)}"))


def release(rig: Rig, service: str, brake: str) -> None:
    """Release a brake by the command."""
    where = {f"DULY_{one.service.upper()}_ADDRESS": f"http://{HOST}:{one.port}" for one in rig.replicas}
    words = ["brake", "release", service, brake, "--by", "Ada", "--reason", "campaign"]
    command = [duly_beside_python(), *words, "--state", str(rig.place.root / "none")]
    done = subprocess.run(
        command, check=False, capture_output=True, cwd=PROJECT, env=environment(where), timeout=RELEASE_WITHIN_S
    )
    if done.returncode != 0:
        rig.broken.append(Violation("unreleased", f"{service} {brake}: {done.stderr.decode(errors='replace')[-300:]}"))


async def _held(rig: Rig, service: str, brake: str) -> bool:
    deadline = asyncio.get_running_loop().time() + NOTICED_WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        if brake in await held_by(rig, service):
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False


async def held_by(rig: Rig, service: str) -> list[str]:
    """Return what holds a service now; nothing while none of its replicas answers."""
    for replica in rig.of(service):
        try:
            return [one["name"] for one in await replica.json("/v1/brakes")]
        except Unanswered:
            continue
    return []
