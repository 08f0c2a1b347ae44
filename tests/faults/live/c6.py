"""C6: records that are no facts among good ones, some of which kill the process that reads them (RELIABILITY 5.10, 11).

The killers kill real replicas: each runs as tests/support/dying.py starts it, whose decoder ends the process over a
mark. The fix is a start without that mark; then what had killed is replayed, twice.
"""

import asyncio
import json
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.live import braking, letters
from tests.faults.live.malformed import Line, records
from tests.faults.live.rig import Rig
from tests.faults.live.story import Fact, instant
from tests.faults.logs import read
from tests.faults.rules import Violation

MODULE = "tests.support.dying"
MARK_VARIABLE = "CAMPAIGN_DIES_OVER"
EXIT_CODE = 11
MALFORMED = 300
KILLERS = 10
CALM = 16
"""So many bad records come one by one: below the 20 a minute at which the brake holds."""
CALM_S = 0.7
FLOOD_AT_ONCE = 24
FLOOD_S = 0.4
DEATHS_MAX = 5  # of one killer: in its batch, three times alone, and once if its batch was not noted yet
PEOPLE_S = 4.0
DEAD_WITHIN_S = 240
THROUGH_WITHIN_S = 240
LOOK_S = 0.3
BRAKE = "dead-letters"
KILLS = "kills-the-process"
SERVICES = ("reminders", "messenger")
TENANT = "acme"


def mark_of(service: str) -> str:
    """Name the mark over which a service dies."""
    return f"DIES-{service}"


async def strike(rig: Rig) -> None:
    """Let killers kill, bad records trickle and then flood, a person release; mend, replay, and compare."""
    nursing = asyncio.create_task(_nurse(rig))
    try:
        async with rig.blow("records that kill", "replicas"):
            await asyncio.sleep(PEOPLE_S)  # the people are told first: a killer's assignment is somebody's
            await _tell(rig, killers(rig.needs.seed), "killer")
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


def killers(seed: int) -> list[Line]:
    """Write records that kill one of the two services each, and are good facts to whoever survives them.

    Who kills reminders gives somebody a training, due for a mail at once; who kills messenger ends one nobody has.
    """
    lines = []
    now = datetime.now(UTC)
    for number in range(KILLERS):
        service = SERVICES[number % 2]
        data: dict[str, Any] = {"tenant_id": TENANT, "person_id": f"p{number:04}"}
        data |= {"assignment_id": f"k{number:05}", "training_id": "t0"}
        if service == "reminders":
            due_at = now + timedelta(days=3, minutes=-10)
            title = f"Safety TRNG{TENANT}k{number:05}x {mark_of(service)}"
            data |= {"occurred_at": instant(due_at - timedelta(days=30)), "due_at": instant(due_at)}
            data |= {"training_title": title}
        else:
            data |= {"occurred_at": instant(now), "reason": mark_of(service)}
        kind = "training.assigned.v1" if service == "reminders" else "training.withdrawn.v1"
        fact = Fact(0, kind, f"{TENANT}-killer-{seed}-{number}", data["assignment_id"], data)
        lines.append(fact.line(0) | {"poison": "", "reason": KILLS, "kept": (service,)})
    return lines


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
    """Replay twice what can be read now, once what never can; give up one cause; count what each changed."""
    groups = await letters.listed(rig)
    for service in SERVICES:
        for group in groups[service]:
            expected = group["open"] if group["reason"] == KILLS else 0
            applied = [await _replayed(rig, service, group["group"]) for _ in range(2)]
            if applied != [expected, 0]:
                what = f"{service} {group['reason']}: {applied} applied, {expected} and 0 expected"
                rig.broken.append(Violation("replay", what))
            if group["reason"] == "nul":
                words = (service, "--group", group["group"], "--by", "Ada", "--reason", "campaign")
                await letters.command(rig, "discard", *words)
    after = await letters.listed(rig)
    for service in SERVICES:
        rig.broken += unsettled(service, groups[service], after[service])


async def _replayed(rig: Rig, service: str, group: str) -> int:
    code, said = await letters.command(rig, "replay", service, "--group", group, "--by", "Ada", "--json")
    if not said:
        rig.broken.append(Violation("replay", f"{service} {group}: exit {code}"))
        return -1
    return int(json.loads(said)["applied"])


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
