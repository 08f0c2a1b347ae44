"""C1b: each process dies at a named point of its work (DULY_CRASH_AT), twice at each, and comes back.

The replicas go through their deaths side by side, each from one life straight into the next, which is armed with
the next point: what a death left behind is always picked up by a life that is going to die itself. The last life of
each is armed with nothing. Messenger dies over mail, chats and texts (c1b_http.py); it is
the only one, for of two that die all the time each waits for the other to come back to their group.
"""

import asyncio
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count, product

import asyncpg

from tests.faults.live import bouncing
from tests.faults.live.c1b_brakes import Brakes
from tests.faults.live.c1b_deeds import CRASH_AT, LEASE_S, Deeds
from tests.faults.live.c1b_http import Talking
from tests.faults.live.c10 import Race
from tests.faults.live.points import PLANS, Plan, chain
from tests.faults.live.replica import Replica
from tests.faults.live.rig import Rig
from tests.faults.live.story import Cast, story
from tests.faults.plan import Shares
from tests.faults.rules import Violation

DEED = "kill at a point"
DEATHS = sum(len(plan.numbers) for plan in PLANS)
SERVICES = {"reminders": 1, "messenger": 1, "roster": 1, "intake": 1}
LIES = Shares(cut_before=2, cut_after=2)
"""Cut answers leave mails in doubt, which is what is parked."""
LIE_MAILS = 3_000  # to the end: a life that is to die over its second parked batch needs doubts of two moments
REACHED_WITHIN_S = 180.0
LOOK_S = 0.05
WAVE = Cast(people=20, assignments=70, feed_s=15)
"""A story of one more tenant, told again and again under new names for as long as anybody still has to die."""
ASKER, ASKED, ASK_EVERY_S = "asks", 40, 0.25
"""Whose mails are asked of messenger directly, for how many people, how often."""
LETTERS = "bcdfghjklm"


def settings() -> Mapping[str, str]:
    """Return what this campaign sets besides: a domain for bounces, and leases that lapse soon."""
    return {
        **bouncing.settings(),
        "DULY_MESSENGER_LEASE_S": str(LEASE_S),
    }


@dataclass(slots=True)
class Left:
    """How many chains still go on."""

    number: int = sum(SERVICES.values()) + 1
    deeds: list[Deeds] = field(default_factory=list)


async def strike(rig: Rig) -> None:
    """Let every process die at each of its points, while the story is told for as long as that takes."""
    left, talking = Left(), Talking(rig)
    with ExitStack() as stack:
        talking.start(stack)
        more = asyncio.gather(_more_story(rig, left), _asking(rig, left), talking.go_on())
        try:
            await asyncio.gather(*(_chain(rig, one, left, talking) for one in rig.replicas), _migrations(rig, left))
        finally:
            left.number, talking.going = 0, False
        await more
        await rig.all_ready()
        for deeds in left.deeds:
            rig.broken += await deeds.judged()
        rig.broken += await talking.judged()


async def _chain(rig: Rig, replica: Replica, left: Left, talking: Talking) -> None:
    """Go through one replica's deaths; end with a life that is not armed."""
    deeds = Deeds(rig, replica, Brakes(rig, replica, talking.holds) if replica.service == "messenger" else None)
    left.deeds.append(deeds)
    await deeds.prepare()
    for plan, number in chain(replica.service):
        rig.ready.discard(replica.name)
        await replica.end()  # the first life is not armed yet; every other one is dead already
        replica.settings[CRASH_AT] = f"{plan.point}:{number}"
        deeds.begin(number)
        replica.start()
        began = time.monotonic()
        reached = await _died(replica, deeds, plan)
        rig.ready.discard(replica.name)
        rig.say(f"{replica.name}: {plan.point}:{number} after {time.monotonic() - began:.1f} s\n")
        if not reached:
            rig.broken.append(Violation("not reached", f"{plan.point}:{number}, exit code {replica.code}"))
            continue
        rig.note(DEED, replica.name, point=plan.point, number=number)
        await deeds.died(plan)
    talking.moving = talking.moving and replica.service != "messenger"
    await replica.end()
    del replica.settings[CRASH_AT]
    replica.start()
    await deeds.close()
    left.number -= 1


async def _died(replica: Replica, deeds: Deeds, plan: Plan) -> bool:
    """Lead a life to its point until it has died by SIGKILL, which nobody else sends; tell whether it did."""
    deadline = time.monotonic() + REACHED_WITHIN_S
    while replica.alive and time.monotonic() < deadline:
        await deeds.lead(plan.by)
        await asyncio.sleep(LOOK_S)
    return replica.code == -int(signal.SIGKILL)


async def _migrations(rig: Rig, left: Left) -> None:
    """Kill a migration between two schemas of an empty database, then run it again to its end."""
    for plan, number in chain("migrate"):
        name = f"crash_{number}"
        connection = await asyncpg.connect(rig.database_url)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        url = rig.database_url.rpartition("/")[0] + f"/{name}"
        killed = await asyncio.to_thread(rig.migrated, url, {CRASH_AT: f"{plan.point}:{number}"})
        if killed.returncode != -signal.SIGKILL:
            rig.broken.append(Violation("not reached", f"{plan.point}:{number}, exit code {killed.returncode}"))
        rig.note(DEED, "migrate-1", point=plan.point, number=number)
        for _ in range(2):
            again = await asyncio.to_thread(rig.migrated, url, {})
            if again.returncode != 0:
                text = again.stderr.decode(errors="replace")[-200:]
                rig.broken.append(Violation("migration", f"not ended after {plan.point}:{number}: {text}"))
    left.number -= 1


async def _more_story(rig: Rig, left: Left) -> None:
    """Tell of further tenants, one after the other, while anybody still has to die."""
    for one, two in product(LETTERS, LETTERS):
        if not left.number:
            return
        tenant, now = f"wave{one}{two}", datetime.now(UTC)
        rig.tenants.append(tenant)
        cast = replace(WAVE, tenants=(tenant,))
        await rig.feeder.tell(story(rig.needs.seed, cast, rig.needs.policy, now, now))


async def _asking(rig: Rig, left: Left) -> None:
    """Ask messenger directly for a mail now and then: reminders asks for little while it dies all the time."""
    rig.tenants.append(ASKER)
    now = datetime.now(UTC)
    cast = Cast(tenants=(ASKER,), people=ASKED, assignments=0, feed_s=1)
    people = story(rig.needs.seed, cast, rig.needs.policy, now, now)
    known = [fact for fact in people if fact.data["status"] == "active"]
    await rig.feeder.tell_now(known)
    for number in count():
        if not left.number:
            return
        person, at = known[number % len(known)].data["person_id"], time.time()
        await rig.feeder.tell_now([Race(ASKER, person, f"x{number:05}", at).request(at)])
        await asyncio.sleep(ASK_EVERY_S)
