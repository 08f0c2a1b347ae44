"""A small, fast HTTP server that answers as Slack and Twilio do, the same for all arms; it keeps no message.

It notes when it took whose message. People are called here as in their addresses: e-1 of e-1@people.example.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from benchmarks import child

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
STAMP = 1_700_000_000
SID = "SM{:032x}"


class Sink:
    """What it answers to each method, and what it took."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, float]] = []

    def answer(self, path: str, body: bytes) -> Mapping[str, Any]:
        """Do what a method says."""
        method = path.rpartition("/")[2]
        if method == "chat.postMessage":
            return self._posted(msgspec.json.decode(body))
        said = dict(parse_qsl(body.decode()))
        if method == "users.lookupByEmail":
            name = said["email"].partition("@")[0]
            return {"ok": True, "user": {"id": f"U-{name}", "deleted": False, "profile": {"email": said["email"]}}}
        if method == "conversations.open":
            return {"ok": True, "channel": {"id": f"D{said['users'][1:]}"}}
        return self._texted(said)

    def _posted(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._note(said["channel"].removeprefix("D-"))
        ts = f"{STAMP}.{len(self.taken):06d}"
        shown = {name: said[name] for name in ("text", "blocks", "metadata")}
        message = {"type": "message", "user": "U0BOT", "bot_id": "B0BOT", "team": "T0BENCH", "ts": ts, **shown}
        return {"ok": True, "channel": said["channel"], "ts": ts, "message": message}

    def _texted(self, said: Mapping[str, str]) -> Mapping[str, Any]:
        self._note(said["To"])
        return {
            "sid": SID.format(len(self.taken)),
            "to": said["To"],
            "from": said["From"],
            "body": said["Body"],
            "status": "queued",
            "direction": "outbound-api",
            "num_segments": "2",
            "num_media": "0",
            "price": None,
            "price_unit": "USD",
            "error_code": None,
            "error_message": None,
            "date_created": "Sun, 01 Nov 2026 08:00:00 +0000",
            "date_updated": "Sun, 01 Nov 2026 08:00:00 +0000",
            "date_sent": None,
        }

    def _note(self, whose: str) -> None:
        self.taken.append((whose, time.monotonic()))


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._transport: asyncio.Transport
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it for the answers."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request once its whole body is there."""
        self._unread += data
        while (head_end := self._unread.find(HEAD_END)) >= 0:
            head = self._unread[:head_end]
            at = head.lower().find(LENGTH)
            length = int(head[at + len(LENGTH) :].partition(b"\r\n")[0]) if at >= 0 else 0
            body_from = head_end + len(HEAD_END)
            if len(self._unread) < body_from + length:
                return
            body, self._unread = self._unread[body_from : body_from + length], self._unread[body_from + length :]
            answer = msgspec.json.encode(self._sink.answer(head.split(b" ", 2)[1].decode(), body))
            status = b"201 Created" if head.split(b" ", 2)[1].endswith(b"/Messages.json") else b"200 OK"
            self._transport.write(
                b"HTTP/1.1 %b\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
                % (status, len(answer), answer)
            )


async def main() -> None:
    """Serve on a free loopback port until the benchmark ends, or asks whose messages were taken when."""
    sink = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(sink), "127.0.0.1", 0, backlog=128)
    child.say(port=server.sockets[0].getsockname()[1])
    await child.until_told()
    child.say(taken=sink.taken)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
