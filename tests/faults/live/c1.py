"""C1: kill -9 of each service, again and again, while mails go out."""

import asyncio
import time

from tests.faults.live.rig import Rig

KILLS = 60
EVERY_S = 2.5
SPARED_S = 65.0
"""In the end messenger is spared for so long: what a kill leaves in doubt is parked a minute later, and then all of
it can be judged. Until then it takes most of the kills."""
SENDERS_SHARE = 0.65


async def strike(rig: Rig, kills: int = KILLS) -> None:
    """Kill one process after the other, drawn from the seed.

    On a busy machine a victim is waited for, and the kills to come with it: in a burst nobody would come to work.
    """
    began = time.monotonic()
    for number in range(kills):
        at_s = EVERY_S * (number + rig.dice.random())
        due = max(began + at_s, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
        spared = at_s > kills * EVERY_S - SPARED_S
        sender = not spared and rig.dice.random() < SENDERS_SHARE
        among = rig.of("messenger") if sender else [one for one in rig.replicas if one.service != "messenger"]
        victim = await rig.victim(among)
        began += time.monotonic() - due
        await rig.kill(victim)
        if number % 10 == 9:
            rig.say(f"kill {number + 1} of {kills}\n")
