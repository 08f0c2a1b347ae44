"""Mail by SMTP: many letters at once, each on a connection of its own, one gate for all that are ready.

The way of a letter: connection, MAIL, RCPT, DATA up to the 354, all letters side by side; then one gate, all
bodies, the gate is left; then the answers, side by side again. A letter is never tried twice here.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from duly_chassis import crash
from duly_chassis.logs import log
from messenger.channel import GATE_HELD_S_MAX, Answer, Gate, InDoubt, Letter, Withheld
from messenger.smtp.answers import Unreachable
from messenger.smtp.connection import Connection
from messenger.smtp.pool import SmtpPool
from messenger.smtp.relay import SmtpSettings

GATE_TRIES = 3  # a gate that came too late is void, and taken again at once
DRAIN_LOOK_S = 0.002

LOG = log("smtp")


@dataclass(slots=True, eq=False)
class Flight:
    """A letter on its way: the connection it holds, whether its body was begun, and the answer once known."""

    letter: Letter
    connection: Connection | None = None
    begun: bool = False
    answer: Answer | None = None


class SmtpChannel:
    """The channel over one SMTP relay. Connections are opened when needed and used again."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._pool = SmtpPool(settings)

    async def deliver(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:
        """Send these letters, as many at once as there are connections; the answers come in their order."""
        answers: list[Answer] = []
        for first in range(0, len(letters), self._settings.connections):
            answers += await self._wave(letters[first : first + self._settings.connections], gate)
        return answers

    async def close(self) -> None:
        """Take leave of the relay. Letters under way keep their connections until they are answered."""
        await self._pool.close()

    async def _wave(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:
        flights = [Flight(letter) for letter in letters]
        try:
            async with asyncio.TaskGroup() as tasks:
                preparing = {tasks.create_task(self._prepare(flight)): flight for flight in flights}
                while preparing:
                    ready = await self._ready(preparing)
                    if ready:
                        await _pass_gate(ready, gate)
                        tasks.create_task(self._finish(ready))
        finally:
            for flight in flights:  # only after a cancellation is anything left: hang up, the row says the rest
                if flight.connection is not None:
                    flight.connection.abort()
                self._land(flight)
        return [flight.answer or InDoubt("unanswered") for flight in flights]

    async def _prepare(self, flight: Flight) -> None:
        """Bring a letter to its 354, or to its answer."""
        try:
            flight.connection = await self._pool.take()
        except Unreachable as error:
            flight.answer = error.answer
            return
        flight.answer = await flight.connection.envelope(flight.letter)
        if flight.answer is not None:
            self._land(flight)

    async def _ready(self, preparing: dict[asyncio.Task[None], Flight]) -> list[Flight]:
        """Take those that reached their 354 out of `preparing`: all of them, but a slow one holds none up."""
        await asyncio.wait(preparing, return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait(preparing, timeout=self._settings.straggler_s)
        flights = [preparing.pop(task) for task in list(preparing) if task in done]
        return [flight for flight in flights if flight.answer is None]

    async def _finish(self, written: Sequence[Flight]) -> None:
        """Hear the answers to bodies that were written; after a 354 without one only hanging up is left."""
        for flight in written:  # all answer side by side, so hearing them one by one waits for the slowest only
            if flight.connection is not None:
                if flight.answer is None:
                    flight.answer = await flight.connection.answer(flight.letter)
                    crash.at("answer-read")
                else:
                    flight.connection.abort()
            self._land(flight)

    def _land(self, flight: Flight) -> None:
        if flight.connection is not None:
            self._pool.give_back(flight.connection)
            flight.connection = None


async def _pass_gate(ready: Sequence[Flight], gate: Gate) -> None:
    """Write the bodies of those the gate allows; every other flight gets its answer here."""
    try:
        reason = await _write_within(ready, gate)
    except Exception as error:  # noqa: BLE001 - whatever breaks a gate, a letter already written needs its answer
        LOG.warning("gate_failed", error=type(error).__name__)
        reason = "gate_failed"
    for flight in ready:
        if not flight.begun and flight.answer is None:
            flight.answer = Withheld(reason)


async def _write_within(ready: Sequence[Flight], gate: Gate) -> str:
    """Hold the gate and write; give the reason of those that were not written."""
    letters = [flight.letter for flight in ready]
    for _ in range(GATE_TRIES):
        asked_at = monotonic()
        async with gate(letters) as allowed:
            # Nothing waits between this comparison and the writing: a process that slept is caught here.
            if monotonic() - asked_at > GATE_HELD_S_MAX:
                continue
            for flight in ready:
                if flight.letter.outreach_id in allowed and flight.connection is not None:
                    flight.answer = flight.connection.begin_body(flight.letter)
                    flight.begun = flight.answer is None
            await _drain(ready, asked_at + GATE_HELD_S_MAX)
            crash.at("body-written")
            return "not_allowed"
    return "gate_void"


async def _drain(flights: Sequence[Flight], until: float) -> None:
    """Wait until the last byte has left, as long as the gate may be held; then hang up on what has not."""
    slow = [flight for flight in flights if flight.begun]
    try:
        while slow := [flight for flight in slow if flight.connection and not flight.connection.body_written]:
            if monotonic() >= until:
                return
            await asyncio.sleep(DRAIN_LOOK_S)  # a full socket tells only its transport, so that is asked
    finally:
        for flight in slow:
            flight.answer = InDoubt("write_too_slow")
            if flight.connection is not None:
                flight.connection.abort()
