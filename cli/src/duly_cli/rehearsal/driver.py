"""Plays facts on a driven clock: set the clock to the next interesting instant, wait until all rest, go on."""

import asyncio
import time
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from aiokafka import AIOKafkaProducer

from duly_chassis.clock import DrivenClock
from duly_cli.rehearsal.idle import Idle
from duly_cli.rehearsal.play import Play, PlayedFact
from duly_cli.rehearsal.progress import Progress
from duly_contracts.envelope import seal

PUBLISH_DEADLINE_S = 60
INSTANT = attrgetter("instant")
ONE_TICK = timedelta(microseconds=1)  # the finest step of every clock here


@dataclass(slots=True)
class Driver:
    """What a rehearsal needs: the play, the clock it drives, and where it keeps how far it got."""

    play: Play
    clock: DrivenClock
    idle: Idle
    producer: AIOKafkaProducer
    progress: Progress
    check: Callable[[], Awaitable[None]]
    """May raise, when something that must live has died."""
    told: Callable[[datetime, int], None]
    """Hears of each instant and the number of facts published up to it."""

    async def run(self, reached: datetime | None, until: datetime | None, spent_s: float) -> float:
        """Play from the instant reached before (None: from the first) to the end; returns the seconds spent in all.

        The instant reached is played again: its facts carry the same ids, so what was done stays done once.
        """
        began = time.monotonic() - spent_s
        instant = reached or self.play.facts[0].instant
        while until is None or instant < until:
            await self.progress.reach(instant, time.monotonic() - began)
            due = await self._live_through(instant)
            self.told(instant, bisect_right(self.play.facts, instant, key=INSTANT))
            following = [moment for moment in (due, self._next_fact(instant)) if moment is not None]
            if not following:
                break
            instant = min(following)
        return time.monotonic() - began

    async def _live_through(self, instant: datetime) -> datetime | None:
        """Let an instant happen and return when something is next due.

        Facts come first: they are applied a moment before the clock strikes, so that who completes at nine sharp
        gets no reminder of nine sharp, whichever message travels faster.
        """
        facts = self._facts_at(instant)
        if facts:
            self.clock.move_to(instant - ONE_TICK)
            await self._publish(facts)
            due = await self.idle.wait(self.clock.now(), self.check)
            if due is None or due > instant:
                self.clock.move_to(instant)
                return due
        self.clock.move_to(instant)
        return await self.idle.wait(instant, self.check)

    def _facts_at(self, instant: datetime) -> list[PlayedFact]:
        facts = self.play.facts
        return facts[bisect_left(facts, instant, key=INSTANT) : bisect_right(facts, instant, key=INSTANT)]

    def _next_fact(self, instant: datetime) -> datetime | None:
        place = bisect_right(self.play.facts, instant, key=INSTANT)
        return self.play.facts[place].instant if place < len(self.play.facts) else None

    async def _publish(self, facts: list[PlayedFact]) -> None:
        """Write facts to their topics as an LMS would, dated by the wall clock."""
        async with asyncio.timeout(PUBLISH_DEADLINE_S):
            sends = []
            for fact in facts:
                record = seal(fact.event, fact.event_id, fact.source)
                sends.append(
                    await self.producer.send(record.topic, record.value, key=record.key, headers=list(record.headers))
                )
            await asyncio.gather(*sends)
