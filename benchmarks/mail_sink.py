"""A small, fast SMTP server, the same for all arms that send: it notes when it took whose mail, and keeps no mail."""

import asyncio
import time

from benchmarks import child

REPLIES = {
    b"EHLO": b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go ahead\r\n",
    b"QUIT": b"221 bye\r\n",
}


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, taken: dict[str, float]) -> None:
        self._taken = taken
        self._recipient = ""
        self._transport: asyncio.Transport
        self._unread = b""
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer each command, and each body once its final dot is there."""
        self._unread += data
        while True:
            end = b"\r\n.\r\n" if self._in_body else b"\r\n"
            taken, found, rest = self._unread.partition(end)
            if not found:
                return
            self._unread = rest
            if self._in_body:
                self._in_body = False
                self._transport.write(b"250 taken\r\n")
                self._taken[self._recipient] = time.monotonic()
                continue
            word = taken[:4].upper()
            self._in_body = word == b"DATA"
            if word == b"RCPT":
                self._recipient = taken[taken.find(b"<") + 1 : taken.find(b">")].decode()
            self._transport.write(REPLIES.get(word, b"250 fine\r\n"))
            if word == b"QUIT":
                self._transport.close()
                return


async def main() -> None:
    """Serve on a free loopback port until the benchmark ends, or asks who has mail and since when."""
    taken: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(taken), "127.0.0.1", 0, backlog=128)
    child.say(port=server.sockets[0].getsockname()[1])
    await child.until_told()
    child.say(taken=taken)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
