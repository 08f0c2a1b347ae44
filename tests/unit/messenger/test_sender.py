"""How a sender behaves towards others: it gives way to whoever holds the rows, and shows life while a relay is slow."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from duly_chassis.service import Context
from messenger.channel import Accepted, Answer, Gate, Letter, Withheld
from messenger.sender import WITHHELD_PAUSE_S_MAX, Sender
from messenger.sending import delivering
from messenger.writer import Writer
from tests.support.post import rules
from tests.unit.messenger.gates import open_gate


class Slow:
    """A channel whose answers are awaited for as long as the test wants."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()

    async def deliver(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:  # noqa: ARG002 - the port names both
        await self.answered.wait()
        return [Accepted("id")]


class Beats:
    """What a sender uses of its context here; after two signs of life the relay answers."""

    def __init__(self, channel: Slow) -> None:
        self.number = 0
        self._channel = channel

    def beat(self) -> None:
        self.number += 1
        if self.number > 1:
            self._channel.answered.set()


def a_sender(channel: Slow) -> Sender:
    return Sender(cast(Context, Beats(channel)), channel, cast(Writer, None), rules())


async def test_sender_pauses_longer_each_time_the_gate_lets_nothing_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """RELIABILITY 6.3: withheld rows are due again at once; without a pause that would be a loop without end."""
    pauses: list[float] = []

    async def noted(seconds: float, *_: Any) -> None:
        pauses.append(seconds)

    one = a_sender(Slow())
    monkeypatch.setattr(asyncio, "sleep", noted)
    for _ in range(12):
        await one._give_way([Accepted("id"), Withheld()])
    await one._give_way([Accepted("id")])
    await one._give_way([Withheld()])

    assert pauses[:12] == sorted(pauses[:12])
    assert (pauses[11], pauses[12]) == (WITHHELD_PAUSE_S_MAX, pauses[0])


async def test_sender_shows_life_while_the_relay_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """RELIABILITY 5.12: whoever kills a process that waits for answers turns them into doubts."""
    monkeypatch.setattr(delivering, "BEAT_EVERY_S", 0.001)
    channel = Slow()
    context = Beats(channel)

    answers = await delivering.delivered(channel, [], open_gate, context.beat)

    assert answers == [Accepted("id")]
    assert context.number > 1
