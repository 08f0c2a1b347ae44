"""An HTTP server of bare bytes: it notes what came and when, and answers what its script says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Act = bytes | Literal["cut", "silence", "drip"]
"""What to answer: these bytes, hang up, say nothing, or a byte now and then for ever."""

DRIP_S = 0.01
TURNS = 3  # of the event loop: one reads what lies there, the next notes it, and one to spare


def said(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """Write a whole answer."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class ScriptedHttp:
    """Answers each request by `answer`; keeps every byte of every connection."""

    answer: Callable[[bytes], Act] = lambda _: said()
    greeting: bytes = b""
    """Said before anybody asked."""
    received: list[bytearray] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    let_read: asyncio.Event = field(default_factory=asyncio.Event)
    talks: list[asyncio.Task[None]] = field(default_factory=list)
    port: int = 0
    more: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def octets(self) -> int:
        """Count all bytes that came."""
        return sum(len(one) for one in self.received)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to talk over one more connection."""
        self.talks.append(asyncio.create_task(self._talk(reader, writer)))

    async def until_connections(self, count: int) -> None:
        """Wait until so many connections were opened."""
        async with self.more:
            await self.more.wait_for(lambda: len(self.received) >= count)

    async def until_requests(self, count: int) -> None:
        """Wait until so many whole requests have come."""
        async with self.more:
            await self.more.wait_for(lambda: len(self.requests) >= count)

    async def sent_by_now(self) -> int:
        """Count all bytes that were sent until now: on one machine a byte lies at its receiver when `send` returns."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return self.octets

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came = bytearray()
        self.received.append(came)
        await self._tell()
        writer.write(self.greeting)
        try:
            await self.let_read.wait()
            while request := await self._request(reader, came):
                self.notes.append("request")
                self.requests.append(request)
                await self._tell()
                if not await self._perform(self.answer(request), writer):
                    return
        except ConnectionError:
            self.notes.append("reset")
        finally:
            writer.transport.abort()

    async def _request(self, reader: asyncio.StreamReader, came: bytearray) -> bytes:
        begin = len(came)
        while True:
            head, end, body = bytes(came[begin:]).partition(b"\r\n\r\n")
            if end:
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                if len(body) >= int(lengths[0].partition(b":")[2]) if lengths else True:
                    return head + end + body
            piece = await reader.read(65_536)
            if not piece:
                return b""
            came += piece

    async def _perform(self, act: Act, writer: asyncio.StreamWriter) -> bool:
        """Do it; False: the connection is over."""
        if act == "cut":
            return False
        if isinstance(act, bytes):
            writer.write(act)
        if act == "drip":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        while act == "drip" and not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(DRIP_S)
        await writer.drain()
        return True

    async def _tell(self) -> None:
        async with self.more:
            self.more.notify_all()


@asynccontextmanager
async def scripted_http(
    answer: Callable[[bytes], Act] | Act = b"", greeting: bytes = b""
) -> AsyncIterator[ScriptedHttp]:
    """Run one on a free port of this machine; an answer that is no function is everybody's."""
    given = answer if callable(answer) else (lambda _: answer or said())
    http = ScriptedHttp(given, greeting)
    http.let_read.set()
    server = await asyncio.start_server(http.serve, "127.0.0.1", 0)
    http.port = server.sockets[0].getsockname()[1]
    try:
        yield http
    finally:
        server.close()
        http.let_read.set()
        for talk in http.talks:
            talk.cancel()
        await asyncio.gather(*http.talks, return_exceptions=True)
