"""A TCP proxy that cuts: all its connections at once, or one right after it has passed on a COMMIT.

The server gets the COMMIT and carries it out; its client never hears so. A listener that was closed (the server
is down) refuses as the server itself would.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.faults.live.place import HOST

CHUNK_BYTES = 65_536
GRACE_S = 0.05  # the server reads the COMMIT meanwhile
COMMIT = b"COMMIT;\x00"  # the end of PostgreSQL's simple query of that text


@dataclass(slots=True, eq=False)
class Link:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter

    def cut(self) -> None:
        """Reset both sides."""
        for side in (self.client, self.server):
            side.transport.abort()


class Proxy:
    """Stands before one server on a port of its own."""

    def __init__(self, port: int, upstream: int) -> None:
        self.port = port
        self.commits_cut = 0
        self._upstream = upstream
        self._links: set[Link] = set()
        self._armed: Callable[[], None] | None = None
        self._listener: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen."""
        self._listener = await asyncio.start_server(self._serve, HOST, self.port, backlog=128)

    async def close(self) -> None:
        """Refuse new connections and cut those there are."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.cut(len(self._links))
        await asyncio.sleep(0)

    def cut(self, number: int, dice: random.Random | None = None) -> int:
        """Cut so many connections, drawn where dice are given; return how many there were to cut."""
        links = list(self._links)
        if dice is not None:
            dice.shuffle(links)
        for link in links[:number]:
            link.cut()
        return len(links[:number])

    def arm(self, done: Callable[[], None]) -> None:
        """Cut the next connection that says COMMIT, after the server has it and before its client hears so."""
        self._armed = done

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection(HOST, self._upstream)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        self._links.add(link)
        ways = [
            asyncio.create_task(self._pass(reader, to_server, link, watched=True)),
            asyncio.create_task(self._pass(from_server, writer, link, watched=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            link.cut()
            self._links.discard(link)
            for way in ways:
                way.cancel()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link, *, watched: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
                if watched and self._armed is not None and data.endswith(COMMIT):
                    done, self._armed = self._armed, None
                    link.client.transport.abort()
                    self.commits_cut += 1
                    done()
                    await asyncio.sleep(GRACE_S)
                    return
