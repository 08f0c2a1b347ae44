"""One letter's request, held back until the gate lets it pass: connected, and not a byte of it on the wire.

aiohttp keeps the head of a request until the first bytes of its body are written (http_writer.py of 3.14), so a body
that waits holds the whole request back. What waits is put in by a middleware, whatever vendor's client built it.
"""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import monotonic

from aiohttp import BytesPayload, ClientError, ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.abc import AbstractStreamWriter

from duly_chassis import crash
from messenger.channel import GATE_HELD_S_MAX, Answer, Letter


class NotGated(ClientError):
    """A request that could reach a person outside a turn, or the second of one turn: it is not sent."""


@dataclass(slots=True, eq=False)
class Turn:
    """Where a letter's request stands: on its way to the gate, waiting there, begun, or over."""

    letter: Letter
    answer_timeout_s: float
    begun: bool = False
    """A byte of it may have left: from here on silence is doubt."""
    answer: Answer | None = None
    task: asyncio.Task[None] | None = None
    deadline: asyncio.Timeout | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """It stands before the gate, or needs it no more."""
    _used: bool = False
    _permit: asyncio.Future[float] | None = None
    _transport: asyncio.WriteTransport | None = None

    @property
    def waits(self) -> bool:
        """Tell whether it stands before the gate and may be let through."""
        alive = self.task is not None and not self.task.done() and self.answer is None
        expired = self.deadline is not None and self.deadline.expired()
        return alive and not expired and not self.begun and self._permit is not None and not self._permit.done()

    @property
    def written(self) -> bool:
        """Tell whether its last byte has left this process, or it no longer tries."""
        if self.task is None or self.task.done() or self.answer is not None:
            return True
        return self.begun and (self._transport is None or self._transport.get_write_buffer_size() == 0)

    def take(self) -> None:
        """Let one request of this turn come to the gate; raises NotGated for another."""
        if self._used:
            raise NotGated
        self._used = True

    async def stand(self, transport: asyncio.Transport | None) -> None:
        """Wait for the gate; when this returns, the body is written without any further wait."""
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        self._transport = transport
        self._reschedule(None)  # the gate's rounds are bounded by themselves
        while True:
            self._permit = asyncio.get_running_loop().create_future()
            self.arrived.set()
            asked_at = await self._permit
            if transport.is_closing():
                raise ConnectionResetError
            # Nothing waits between this comparison and the writing: a process that slept is caught here.
            if monotonic() - asked_at <= GATE_HELD_S_MAX:
                self.begun = True
                self._reschedule(asyncio.get_running_loop().time() + self.answer_timeout_s)
                return

    def permit(self, asked_at: float) -> None:
        """Let it write, if that begins within the gate's time; else it stands there again."""
        if self._permit is not None and not self._permit.done():
            self._permit.set_result(asked_at)

    def leave(self, answer: Answer) -> None:
        """Send it away with this answer: what is unwritten stays unwritten."""
        self.answer = answer
        if self._transport is not None:
            self._transport.abort()
        if self.task is not None:
            self.task.cancel()

    def over(self) -> None:
        """Hang up on a request that still stands there: its answer is known without it."""
        self.arrived.set()
        if self._permit is not None and not self._permit.done():
            self._permit.cancel()
            if self._transport is not None:
                self._transport.abort()

    def _reschedule(self, at: float | None) -> None:
        if self.deadline is not None and not self.deadline.expired():
            self.deadline.reschedule(at)


class GatedBody(BytesPayload):
    """The body of a request, which waits at the gate before its first byte."""

    def __init__(self, body: bytes, turn: Turn) -> None:
        super().__init__(body)
        self._turn = turn

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Wait, then write all of it at once, with the head."""
        transport = getattr(writer, "transport", None)
        await self._turn.stand(transport)
        crash.at("http-permitted")
        await super().write_with_length(writer, content_length)
        crash.at("http-written")


TURN: ContextVar[Turn | None] = ContextVar("turn", default=None)


async def gated(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Put the body of a request that reaches people behind the gate of its turn; raises NotGated without one."""
    turn = TURN.get()
    if turn is None:
        raise NotGated
    turn.take()
    body = request.body
    content = body if isinstance(body, bytes) else await body.as_bytes()
    if not content:
        raise NotGated  # an empty body is never written: nothing would hold its head back
    await request.update_body(GatedBody(content, turn))
    return await handler(request)
