"""Just enough HTTP/1.1 for a lying provider: requests of known length in, one reply or a cut out."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

BODY_BYTES_MAX = 256 * 1024
LINES_MAX = 100


@dataclass(frozen=True, slots=True)
class Request:
    """One request: method, path, and what was asked, in whichever of the three forms it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    asked: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    body: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    drip_s: float = 0
    """Between two of its bytes; 0: it goes at once."""


class Cut(Exception):
    """The connection ends without a word."""


class Reset(Cut):
    """It ends by a reset, not by an end of its stream."""


Answer = Callable[[Request], Awaitable[Reply]]
"""Raises Cut to hang up."""


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    """Serve one connection until either side ends it; a request that comes in part counts for nothing."""
    try:
        while True:
            request = await _request(reader)
            if isinstance(request, Request):
                reply = await answer(request)
            else:
                reply = Reply("{}", request, {"Connection": "close"})
            await _send(writer, reply)
            if not isinstance(request, Request):
                return
    except (Cut, asyncio.IncompleteReadError, ConnectionError) as error:
        if isinstance(error, Reset):
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    finally:
        writer.close()


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    """Send a reply, byte by byte if it drips; raises ConnectionError when nobody reads on."""
    whole = _written(reply)
    for piece in (whole[at : at + 1] for at in range(len(whole))) if reply.drip_s else (whole,):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(reply.drip_s)


async def _request(reader: asyncio.StreamReader) -> Request | int:
    """Read a request whole, or give the status of its refusal; raises IncompleteReadError at the end."""
    first = (await reader.readuntil(b"\r\n")).decode("latin-1").split()
    headers: dict[str, str] = {}
    for _ in range(LINES_MAX):
        line = (await reader.readuntil(b"\r\n")).decode("latin-1").strip()
        if not line:
            break
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    method, target = first[0], urlsplit(first[1])
    if method == "POST" and "content-length" not in headers:
        return HTTPStatus.LENGTH_REQUIRED
    size = int(headers.get("content-length", "0"))
    if size > BODY_BYTES_MAX:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    body = await reader.readexactly(size)
    asked: dict[str, Any] = dict(parse_qsl(target.query, keep_blank_values=True))
    if headers.get("content-type", "").startswith("application/json"):
        asked |= json.loads(body or b"{}")
    else:
        asked |= dict(parse_qsl(body.decode(), keep_blank_values=True))
    return Request(method, target.path, headers, asked)


def _written(reply: Reply) -> bytes:
    body = reply.body.encode()
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
