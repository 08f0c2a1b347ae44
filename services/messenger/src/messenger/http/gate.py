"""Many letters at once by HTTP: each request up to the gate, one gate for all that stand there, then the answers.

The way of a letter: `send` asks whatever must be known first and makes one request; that request waits, connected,
until the gate allows it (http/turn.py); then its answer is read. A letter is never tried twice here.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Collection, Sequence
from time import monotonic

from aiohttp import ClientConnectorError, ClientPayloadError, ServerDisconnectedError

from duly_chassis import crash
from duly_chassis.logs import log
from messenger.channel import (
    GATE_HELD_S_MAX,
    Answer,
    Gate,
    InDoubt,
    Letter,
    Listening,
    RefusedForGood,
    RefusedForNow,
    Withheld,
)
from messenger.http.client import HttpSettings, NotOpen, Redirected, TooLong
from messenger.http.turn import TURN, NotGated, Turn

AT_ONCE_MAX = 32  # more than this may never be without an outcome at once
GATE_TRIES = 3  # a gate that came too late is void, and taken again at once
DRAIN_LOOK_S = 0.002

Send = Callable[[Letter], Awaitable[Answer]]
"""What an adapter does for one letter: at most one request that is gated; what it raises becomes an answer here."""

Hears = Callable[[Letter, Answer], None]

SILENCES: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (ssl.SSLError, "tls_failed"),
    (TimeoutError, "timeout"),
    (Redirected, "redirected"),
    (TooLong, "answer_too_long"),
    (NotOpen, "closing"),
    (NotGated, "not_gated"),
    (ClientConnectorError, "connect_failed"),
    (ServerDisconnectedError, "connection_lost"),
    (ClientPayloadError, "connection_lost"),
    (OSError, "connection_lost"),
)
UNREADABLE = "unexpected_reply"

LOG = log("http")


async def deliver(letters: Sequence[Letter], gate: Gate, send: Send, settings: HttpSettings) -> list[Answer]:
    """Send these letters, 32 at once; the answers come in their order. Raises nothing but cancellation."""
    answers: list[Answer] = []
    for first in range(0, len(letters), AT_ONCE_MAX):
        answers += await _wave(letters[first : first + AT_ONCE_MAX], gate, send, settings)
    return answers


async def _wave(letters: Sequence[Letter], gate: Gate, send: Send, settings: HttpSettings) -> list[Answer]:
    turns = [Turn(letter, settings.answer_timeout_s) for letter in letters]
    hears = gate.heard if isinstance(gate, Listening) else None
    async with asyncio.TaskGroup() as tasks:
        for turn in turns:
            turn.task = tasks.create_task(_run(turn, send, settings.prepare_timeout_s, hears))
        coming = {tasks.create_task(_arrival(turn)): turn for turn in turns}
        while coming:
            ready = await _ready(coming, settings.straggler_s)
            if ready:
                await _pass_gate(ready, gate)
    return [turn.answer or InDoubt("unanswered") for turn in turns]


async def _arrival(turn: Turn) -> None:
    await turn.arrived.wait()


async def _run(turn: Turn, send: Send, prepare_timeout_s: float, hears: Hears | None) -> None:
    """Bring a letter to its answer; whatever is raised on the way is one."""
    TURN.set(turn)  # of this task alone
    try:
        async with asyncio.timeout(prepare_timeout_s) as turn.deadline:
            answer = await send(turn.letter)
            crash.at("http-answered")
    except Exception as error:  # noqa: BLE001 - whatever a vendor's client raises, a letter needs its answer
        reason = reason_of(error)
        if reason == UNREADABLE:
            LOG.warning("answer_unreadable", error=type(error).__name__)
        answer = InDoubt(reason) if turn.begun else RefusedForNow(reason)
    finally:
        turn.over()
    if turn.answer is None:
        early = not turn.begun and not isinstance(answer, RefusedForNow | RefusedForGood)
        turn.answer = RefusedForNow(UNREADABLE) if early else answer  # answered before it was asked: believed by nobody
        if hears is not None:
            hears(turn.letter, turn.answer)


def reason_of(error: Exception) -> str:
    """Name an error of the way; the library's text may hold an address, so it is never repeated."""
    for kind, reason in SILENCES:
        if isinstance(error, kind) or isinstance(error.__cause__, kind):
            return reason
    return UNREADABLE


async def _ready(coming: dict[asyncio.Task[None], Turn], straggler_s: float) -> list[Turn]:
    """Take those that came to the gate out of `coming`: all of them, but a slow one holds none up."""
    await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
    done, _ = await asyncio.wait(coming, timeout=straggler_s)
    turns = [coming.pop(task) for task in list(coming) if task in done]
    return [turn for turn in turns if turn.waits]


async def _pass_gate(ready: Sequence[Turn], gate: Gate) -> None:
    """Let those write whom the gate allows; every other gets its answer here."""
    crash.at("http-standing")
    try:
        reason = await _write_within(ready, gate)
    except Exception as error:  # noqa: BLE001 - whatever breaks a gate, a letter already written needs its answer
        LOG.warning("gate_failed", error=type(error).__name__)
        reason = "gate_failed"
    _withhold(ready, reason)


async def _write_within(ready: Sequence[Turn], gate: Gate) -> str:
    """Hold the gate while requests are written; give the reason of those that were not."""
    for _ in range(GATE_TRIES):
        waiting = [turn for turn in ready if turn.waits]
        if not waiting:
            break
        asked_at = monotonic()
        async with gate([turn.letter for turn in waiting]) as allowed:
            if monotonic() - asked_at > GATE_HELD_S_MAX:
                continue
            _withhold([turn for turn in waiting if turn.letter.outreach_id not in allowed], "not_allowed")
            await _written(waiting, allowed, asked_at)
    return "gate_void"


def _withhold(turns: Collection[Turn], reason: str) -> None:
    for turn in turns:
        if turn.waits:
            turn.leave(Withheld(reason))


async def _written(waiting: Sequence[Turn], allowed: Collection[object], asked_at: float) -> None:
    """Let them write, and wait until the last byte has left, as long as the gate may be held; then hang up."""
    writing = [turn for turn in waiting if turn.letter.outreach_id in allowed and turn.waits]
    for turn in writing:
        turn.permit(asked_at)
    await asyncio.sleep(0)  # each compares the time once more, and writes
    while slow := [turn for turn in writing if not turn.written and not turn.waits]:
        if monotonic() - asked_at >= GATE_HELD_S_MAX:
            break
        await asyncio.sleep(DRAIN_LOOK_S)  # a full socket tells only its transport, so that is asked
    for turn in slow:
        turn.leave(InDoubt("write_too_slow") if turn.begun else Withheld("gate_void"))
