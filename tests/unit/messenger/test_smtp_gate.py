"""SMTP: the gate between the 354 and the body (RELIABILITY 6.3)."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from messenger.channel import (
    Accepted,
    InDoubt,
    Letter,
    RefusedForNow,
    Withheld,
)
from messenger.smtp.channel import SmtpChannel
from tests.unit.messenger.gates import open_gate, recording_gate, shut_gate
from tests.unit.messenger.given_smtp import (
    a_letter,
    accepted,
    deliver,
    settings_for,
)
from tests.unit.messenger.scripted_smtp import scripted_smtp


async def test_gate_stands_between_the_354_and_the_bodies_and_is_left_before_the_answers() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=2))
        await channel.deliver([a_letter(), a_letter()], recording_gate(smtp.events))
        await channel.close()
    events = [event for event in smtp.events if event not in {"EHLO", "MAIL", "RCPT", "QUIT"}]

    assert events == ["DATA", "DATA", "gate for 2", "gate left", "body", "body"]


async def test_letter_is_not_written_when_the_gate_withholds_it() -> None:
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([a_letter()], shut_gate)
        await smtp.all_hung_up()
        await channel.close()

    assert answers == [Withheld("not_allowed")]
    assert (smtp.bodies, smtp.scraps) == ([], [b""])


async def test_only_the_withheld_letter_stays_unwritten_and_later_letters_go_as_ever() -> None:
    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        yield {letter.outreach_id for letter in letters if letter.recipient != "stopped@learners.example"}

    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=2))
        letters = [a_letter("stopped@learners.example"), a_letter(), a_letter(), a_letter()]
        answers = await channel.deliver(letters, gate)
        await channel.close()

    assert answers == [Withheld(), *(accepted(letter) for letter in letters[1:])]
    assert len(smtp.bodies) == 3


async def test_gate_is_void_and_taken_again_when_it_came_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.3, 1.0, 1.1])
    monkeypatch.setattr("messenger.smtp.channel.monotonic", lambda: next(times))
    async with scripted_smtp() as smtp:
        channel = SmtpChannel(settings_for(smtp))
        letter = a_letter()
        answers = await channel.deliver([letter], recording_gate(smtp.events))
        await channel.close()

    assert answers == [accepted(letter)]
    assert smtp.events.count("gate for 1") == smtp.events.count("gate left") == 2
    assert len(smtp.bodies) == 1


async def test_letter_is_withheld_when_every_gate_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(100))
    monkeypatch.setattr("messenger.smtp.channel.monotonic", lambda: next(times))
    answer, smtp = await deliver({})

    assert answer == Withheld("gate_void")
    assert smtp.bodies == []


async def test_letter_is_withheld_when_the_gate_cannot_be_entered() -> None:
    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        raise ConnectionResetError("the database went away")
        yield {letter.outreach_id for letter in letters}

    answer, smtp = await deliver({}, gate)

    assert answer == Withheld("gate_failed")
    assert smtp.bodies == []


async def test_answer_is_still_heard_when_the_gate_cannot_be_left() -> None:
    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        yield {letter.outreach_id for letter in letters}
        raise ConnectionResetError("the database went away")

    answer, smtp = await deliver({}, gate)

    assert isinstance(answer, Accepted)
    assert len(smtp.bodies) == 1


async def test_slow_letter_holds_up_no_other_when_it_reaches_its_354_late() -> None:
    async with scripted_smtp({"MAIL": [b"250 ok\r\n", "silence"]}) as smtp:
        channel = SmtpChannel(settings_for(smtp, connections=2, straggler_s=0.02))
        events: list[str] = []
        delivery = asyncio.create_task(channel.deliver([a_letter(), a_letter()], recording_gate(events)))
        await smtp.until_bodies(1)  # while the other is still waiting for an answer to its MAIL
        waiting = not delivery.done()
        await smtp.hang_up()
        answers = await delivery
        await channel.close()

    assert waiting
    assert events == ["gate for 1", "gate left"]
    assert RefusedForNow("connection_lost") in answers


async def test_body_never_completes_later_when_it_cannot_be_written_while_the_gate_is_held() -> None:
    async with scripted_smtp() as smtp:
        smtp.let_read.clear()
        channel = SmtpChannel(settings_for(smtp))
        answers = await channel.deliver([a_letter(content=(b"x" * 900 + b"\r\n") * 30_000)], open_gate)
        smtp.let_read.set()
        await smtp.all_hung_up()
        await channel.close()

    assert answers == [InDoubt("write_too_slow")]
    assert smtp.bodies == []
