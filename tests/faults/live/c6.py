"""C6: records that are no facts among good ones, some of which kill the process that reads them (RELIABILITY 5.10, 11).

The killers kill real replicas: each runs as tests/support/dying.py starts it, whose decoder ends the process over a
mark. The fix is a start without that mark; then what had killed is replayed, twice. Each service has one replica: one
that comes back while its neighbour is dead waits for that neighbour, and every killer kills four to six times.
"""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from tests.faults.live import braking, letters
from tests.faults.live.killers import KILLERS, KILLS, SERVICES, TENANT, killers, requests
from tests.faults.live.malformed import Line, records
from tests.faults.live.programs import until
from tests.faults.live.rig import Rig
from tests.faults.live.truth import fold
from tests.faults.logs import read
from tests.faults.rules import Violation

MODULE = "tests.support.dying"
MARK_VARIABLE = "CAMPAIGN_DIES_OVER"
EXIT_CODE = 11
MALFORMED = 300
CALM = 16
"""So many bad records come one by one: below the 20 a minute at which the brake holds."""
CALM_S = 0.7
FLOOD_AT_ONCE = 24
FLOOD_S = 0.4
DEATHS_MAX = 6  # of one killer: in its batch, among a few, three times alone, once if its batch was not noted yet
PEOPLE_WITHIN_S = 60
DEAD_WITHIN_S = 600  # a busy machine takes long to start a process so often
THROUGH_WITHIN_S = 480
LOOK_S = 0.3
BRAKE = "dead-letters"


async def strike(rig: Rig) -> None:
    """Let killers kill, bad records trickle and then flood, a person release; mend, replay, and compare."""
    nursing = asyncio.create_task(_nurse(rig))
    try:
        async with rig.blow("records that kill", "replicas"):
            await until(lambda: bool(zones(rig)), PEOPLE_WITHIN_S, "people: a killer's assignment is somebody's")
            told = zones(rig)
            await _tell(rig, killers(rig.needs.seed, told, rig.needs.policy, datetime.now(UTC)), "killer")
            await _trickle(rig)
            await _all_dead(rig)
        await _flood(rig)
        await _through(rig)
    finally:
        nursing.cancel()
        with suppress(asyncio.CancelledError):
            await nursing
    await _mend(rig)
    await _compare(rig)
    await _replay(rig)
    await rig.feeder.tell_lines(requests(rig.needs.seed, told, datetime.now(UTC)))


def zones(rig: Rig) -> dict[str, str]:
    """Return who has been told of so far, and where they live; empty until enough are."""
    known = {who: one for who, one in fold(read(rig.place.note("raw"))).people.items() if who[0] == TENANT}
    staying = {person: one.zone for (_, person), one in sorted(known.items()) if not one.departed}
    return staying if len(staying) >= KILLERS else {}


async def _tell(rig: Rig, lines: list[Line], deed: str) -> None:
    """Tell raw records and write each down as a blow."""
    await rig.feeder.tell_lines(lines)
    told = [line for line in lines if line["poison"] != "first of its id"]
    rig.faults.say_all([{"deed": deed, "target": line["poison"] or line["kept"][0] + " killer"} for line in told])


async def _nurse(rig: Rig) -> None:
    """Start again whoever has died, as any supervisor does; a death that no killer explains is a fault."""
    while True:
        for replica in rig.replicas:
            if not replica.alive:
                rig.ready.discard(replica.name)
                rig.note("death", f"{replica.service} itself", name=replica.name, code=replica.code)
                if replica.code != EXIT_CODE:
                    rig.broken.append(Violation("died", f"{replica.name} ended with {replica.code}"))
                replica.start()
        await asyncio.sleep(LOOK_S)


async def _trickle(rig: Rig) -> None:
    """Tell a few bad records so slowly that nobody holds anything: they cost themselves only."""
    for number in range(CALM):
        await _tell(rig, records(rig.needs.seed, 1, TENANT, number), "malformed")
        await asyncio.sleep(CALM_S)


async def _all_dead(rig: Rig) -> None:
    """Wait until every killer lies in the dead letters, and look that no brake holds."""
    deadline = time.monotonic() + DEAD_WITHIN_S
    for service in SERVICES:
        while (found := await letters.of_reason(rig, service, KILLS)) < KILLERS // 2:
            if time.monotonic() > deadline:
                rig.broken.append(Violation("killers", f"{service} has put away {found} of {KILLERS // 2}"))
                return
            await asyncio.sleep(LOOK_S)
    deaths = sum(entry["deed"] == "death" for entry in read(rig.place.note("faults")))
    if not KILLERS <= deaths <= DEATHS_MAX * KILLERS:
        rig.broken.append(Violation("killers", f"{deaths} deaths over {KILLERS} killers"))
    rig.say(f"{deaths} deaths over {KILLERS} killers\n")
    for service in SERVICES:
        if held := await braking.held_by(rig, service):
            rig.broken.append(Violation("braked too soon", f"{service}: {held}"))


async def _flood(rig: Rig) -> None:
    """Tell the rest of the bad records so fast that it must be noticed."""
    for first in range(CALM, MALFORMED, FLOOD_AT_ONCE):
        number = min(FLOOD_AT_ONCE, MALFORMED - first)
        await _tell(rig, records(rig.needs.seed, number, TENANT, first), "malformed")
        await asyncio.sleep(FLOOD_S)
    await braking.noticed(rig, SERVICES, BRAKE)


async def _through(rig: Rig) -> None:
    """Have a person release brake after brake, until nothing is behind any more."""
    deadline = time.monotonic() + THROUGH_WITHIN_S
    settled = 0
    while settled < 3:
        if time.monotonic() > deadline:
            rig.broken.append(Violation("unreleased", f"behind: {rig.watcher.lags}"))
            return
        await braking.release_all(rig)
        await asyncio.sleep(1)
        idle = rig.watcher.lags and not any(rig.watcher.lags.values())
        settled = settled + 1 if idle and len(rig.ready) == len(rig.replicas) else 0
    rig.say("the flood is through\n")


async def _mend(rig: Rig) -> None:
    """Start every replica without the fault in its parser."""
    for replica in rig.replicas:
        replica.settings.pop(MARK_VARIABLE)
        await replica.end(signal.SIGTERM)
        rig.ready.discard(replica.name)
        replica.start()
    await rig.all_ready()


async def _compare(rig: Rig) -> None:
    """Compare the dead letters with what was told."""
    bad = list(read(rig.place.note("bad")))
    for service in SERVICES:
        found = await letters.each(rig.of(service)[-1])
        rig.broken += letters.misplaced(service, bad, found)
        rig.say(f"{len(found)} dead letters of {service}\n")


async def _replay(rig: Rig) -> None:
    """Replay twice what can be read now and what never can; give up one cause; count what each changed.

    What killed goes by the command, the many causes of the others by its path: a command takes seconds to start.
    """
    groups = await letters.listed(rig)
    for service in SERVICES:
        for group in groups[service]:
            replay = letters.replayed_by_command if group["reason"] == KILLS else letters.replayed
            applied = [await replay(rig, service, group["group"]) for _ in range(2)]
            rig.broken += misapplied(service, group, applied)
            if group["reason"] == "nul":
                words = (service, "--group", group["group"], "--by", "Ada", "--reason", "campaign")
                await letters.command(rig, "discard", *words)
    after = await letters.listed(rig)
    for service in SERVICES:
        rig.broken += unsettled(service, groups[service], after[service])


def misapplied(service: str, group: Mapping[str, Any], applied: Sequence[int]) -> list[Violation]:
    """Compare what two replays of a group applied: the first all of what killed, no other cause; the second nothing."""
    wanted = [group["open"] if group["reason"] == KILLS else 0, 0]
    if [*applied] == wanted:
        return []
    return [Violation("replay", f"{service} {group['reason']}: {applied} applied, not {wanted}")]


def unsettled(service: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[Violation]:
    """Compare the groups before and after: all of KILLS replayed, all of `nul` given up, the others open still."""
    states = {KILLS: "replayed", "nul": "discarded"}
    wanted = {(group["reason"], states.get(group["reason"], "open")): 0 for group in before}
    found = dict.fromkeys(wanted, 0)
    for group in before:
        wanted[group["reason"], states.get(group["reason"], "open")] += group["open"]
    for group in after:
        for state in ("open", "replayed", "discarded"):
            if group[state]:
                found[group["reason"], state] = found.get((group["reason"], state), 0) + group[state]
    if found == wanted:
        return []
    return [Violation("settled", f"{service}: {sorted(found.items())}, not {sorted(wanted.items())}")]
