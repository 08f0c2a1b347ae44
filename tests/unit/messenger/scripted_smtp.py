"""An SMTP server that does what its script says, and remembers what it heard: the relay's bad days."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Act = bytes | Literal["cut", "silence", "drip"]
"""What to do instead of an ordinary reply: say these bytes, hang up, say nothing, say a byte now and then."""

OK = b"250 2.0.0 fine\r\n"
PIPELINING = b"250-scripted\r\n250-PIPELINING\r\n250 HELP\r\n"
ORDINARY: dict[str, Act] = {
    "CONNECT": b"220 scripted\r\n",
    "EHLO": b"250-scripted\r\n250-8BITMIME\r\n250 HELP\r\n",
    "DATA": b"354 go on\r\n",
    "QUIT": b"221 bye\r\n",
    "STARTTLS": b"220 go ahead\r\n",
}


@dataclass
class ScriptedSmtp:
    """Answers each word by its script; a list of acts is used up one by one, then the ordinary reply again."""

    script: dict[str, Act | list[Act]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    events: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    scraps: list[bytes] = field(default_factory=list)  # bodies without their final dot
    heard: list[str] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    talks: list[asyncio.Task[None]] = field(default_factory=list)
    port: int = 0
    more: asyncio.Condition = field(default_factory=asyncio.Condition)  # there is another body
    let_read: asyncio.Event = field(default_factory=asyncio.Event)  # when clear, bodies are not read
    drip_s: float = 0.01

    def act(self, word: str) -> Act:
        """Give the next act for a word: EHLO, MAIL, ..., CONNECT, BODY (the final dot)."""
        planned = self.script.get(word, ORDINARY.get(word, OK))
        if isinstance(planned, list):
            return planned.pop(0) if planned else ORDINARY.get(word, OK)
        return planned

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to talk over one more connection."""
        self.talks.append(asyncio.create_task(self._talk(reader, writer)))

    async def hang_up(self) -> None:
        """End every connection from this side, and wait until each has heard of its end."""
        for writer in self.writers:
            writer.transport.abort()
        self.let_read.set()
        await asyncio.gather(*self.talks)

    async def all_hung_up(self) -> None:
        """Wait until the client has ended every connection."""
        await asyncio.gather(*self.talks)

    async def until_bodies(self, count: int) -> None:
        """Wait until so many whole bodies have come."""
        async with self.more:
            await self.more.wait_for(lambda: len(self.bodies) >= count)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            if await self.perform(self.act("CONNECT"), writer):
                await self._converse(reader, writer)
        except ConnectionError:
            self.events.append("reset")
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.heard.append(line.decode(errors="replace").rstrip())
            word = line.decode(errors="replace").split()[0].upper() if line.strip() else ""
            self.events.append(word)
            act = self.act(word)
            if not await self.perform(act, writer) or word == "QUIT":
                return
            if word == "STARTTLS" and self.tls is not None:
                await writer.start_tls(self.tls)
            elif word == "STARTTLS" and "HANDSHAKE" in self.script:
                await reader.read(1)
                await self.perform(self.act("HANDSHAKE"), writer)
            said_354 = isinstance(act, bytes) and any(line.startswith(b"354") for line in act.splitlines())
            if word == "DATA" and said_354 and not await self._hear_body(reader, writer):
                return

    async def _hear_body(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await self.let_read.wait()
        body = bytearray()
        while not body.endswith(b"\r\n.\r\n"):
            line = await reader.readline()
            if not line:
                self.scraps.append(bytes(body))
                return False
            body += line
            if self.script.get("HALFWAY") == "cut":
                return False
        self.events.append("body")
        self.bodies.append(bytes(body))
        async with self.more:
            self.more.notify_all()
        return await self.perform(self.act("BODY"), writer)

    async def perform(self, act: Act, writer: asyncio.StreamWriter) -> bool:
        """Do it; False: the connection is over."""
        if act == "cut":
            return False
        if isinstance(act, bytes):
            writer.write(act)
        elif act == "drip":
            while not writer.is_closing():
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(self.drip_s)
        await writer.drain()
        return True


@asynccontextmanager
async def scripted_smtp(
    script: dict[str, Act | list[Act]] | None = None,
    tls: ssl.SSLContext | None = None,
    *,
    tls_at_once: bool = False,
) -> AsyncIterator[ScriptedSmtp]:
    """Run one on a free port of this machine."""
    smtp = ScriptedSmtp(script or {}, tls)
    smtp.let_read.set()
    server = await asyncio.start_server(smtp.serve, "127.0.0.1", 0, ssl=tls if tls_at_once else None)
    smtp.port = server.sockets[0].getsockname()[1]
    try:
        yield smtp
    finally:
        server.close()
        await smtp.hang_up()
