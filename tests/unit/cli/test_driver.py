"""The driver's steps: which instant comes next, and what happens first in each."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from duly_chassis.clock import DrivenClock
from duly_cli.rehearsal.driver import ONE_TICK, Driver
from duly_cli.rehearsal.play import Counts, Play, PlayedFact, PlayedPolicy
from duly_contracts.training import TrainingCompletedV1

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def fact(hours: int, event_id: str) -> PlayedFact:
    """Return a fact that happens so many hours after the start."""
    instant = START + hours * HOUR
    done = TrainingCompletedV1(
        tenant_id="acme", person_id="ada", assignment_id=event_id, training_id="t", occurred_at=instant
    )
    return PlayedFact(instant, done, "/test", event_id)


class Rehearsed:
    """Services that do nothing but become due at these hours; notes what happened, each with the clock's hour."""

    def __init__(self, facts: list[PlayedFact], due_hours: list[int], reached: datetime | None = None) -> None:
        self.log: list[tuple[str, float]] = []
        self.clock = DrivenClock((reached or facts[0].instant) - ONE_TICK)
        self.dues = [START + hours * HOUR for hours in due_hours]
        self.told: list[int] = []
        play = Play("acme", facts, PlayedPolicy(), Counts())
        own: Any = self
        self.driver = Driver(
            play, self.clock, own, own, own, self.check, lambda _instant, played: self.told.append(played)
        )

    async def run(self, reached: datetime | None = None, until: datetime | None = None) -> float:
        return await self.driver.run(reached, until, spent_s=100)

    def note(self, what: str) -> None:
        self.log.append((what, (self.clock.now() - START) / HOUR))

    async def wait(self, now: datetime, _check: Callable[[], Awaitable[None]]) -> datetime | None:
        """Be Idle: whatever was due at `now` is done, the rest is due later."""
        assert now == self.clock.now()
        for due in [due for due in self.dues if due <= now]:
            self.dues.remove(due)
            self.note("due")
        return min(self.dues, default=None)

    async def send(
        self, _topic: str, _value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]
    ) -> Awaitable[None]:
        """Be the producer."""
        assert key == b"acme/ada"
        self.note(dict(headers)["ce_id"].decode())
        return asyncio.sleep(0)

    async def reach(self, instant: datetime, _spent_s: float) -> None:
        """Be the stored progress, which comes before the clock moves."""
        self.log.append(("reach", (instant - START) / HOUR))
        assert self.clock.now() < instant

    async def check(self) -> None:
        """Be a stack in which all live."""


async def test_driver_goes_from_instant_to_instant_of_facts_and_dues() -> None:
    rehearsed = Rehearsed([fact(0, "a"), fact(5, "b")], due_hours=[2, 9])

    spent_s = await rehearsed.run()

    assert [hours for what, hours in rehearsed.log if what == "reach"] == [0, 2, 5, 9]
    assert rehearsed.told == [1, 1, 2, 2]
    assert [(what, round(hours)) for what, hours in rehearsed.log if what != "reach"] == [
        ("a", 0),
        ("due", 2),
        ("b", 5),
        ("due", 9),
    ]
    assert spent_s >= 100


async def test_facts_are_applied_a_moment_before_what_is_due_at_the_same_instant() -> None:
    rehearsed = Rehearsed([fact(0, "a"), fact(5, "b")], due_hours=[5])

    await rehearsed.run()

    (happened, at), (due, due_at) = rehearsed.log[-2:]
    assert (happened, due, due_at) == ("b", "due", 5)
    assert at == pytest.approx(5)
    assert at < 5


async def test_facts_of_one_instant_are_published_together_in_their_order() -> None:
    rehearsed = Rehearsed([fact(3, "b"), fact(3, "a"), fact(3, "c")], due_hours=[])

    await rehearsed.run()

    assert [what for what, _ in rehearsed.log] == ["reach", "b", "a", "c"]


async def test_instant_reached_before_is_played_again_and_none_before_it() -> None:
    reached = START + 5 * HOUR
    rehearsed = Rehearsed([fact(0, "a"), fact(5, "b"), fact(7, "c")], due_hours=[], reached=reached)

    await rehearsed.run(reached)

    assert [what for what, _ in rehearsed.log] == ["reach", "b", "reach", "c"]


async def test_driver_ends_before_the_instant_it_was_given() -> None:
    rehearsed = Rehearsed([fact(0, "a"), fact(5, "b")], due_hours=[2, 9])

    await rehearsed.run(until=START + 5 * HOUR)

    assert [hours for what, hours in rehearsed.log if what == "reach"] == [0, 2]
    assert "b" not in dict(rehearsed.log)


async def test_driver_ends_when_a_child_has_died() -> None:
    rehearsed = Rehearsed([fact(0, "a")], due_hours=[])

    async def wait(_now: datetime, check: Callable[[], Awaitable[None]]) -> None:
        await check()

    async def died() -> None:
        raise ConnectionError("postgres")

    rehearsed.driver.check = died
    rehearsed.wait = wait  # type: ignore[method-assign,assignment]

    with pytest.raises(ConnectionError, match="postgres"):
        await rehearsed.run()
