"""Ask a Kafka broker who it is: one Metadata request (version 2, no topics) over a plain socket."""

import socket
import struct
from collections.abc import Collection
from dataclasses import dataclass

from duly_local.ports import HOST

METADATA = 3
VERSION = 2
REQUEST = struct.pack(">hhihi", METADATA, VERSION, 1, -1, 0)  # correlation 1, no client id, no topics
TIMEOUT_S = 1.0
ANSWER_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a broker tells about its cluster."""

    id: str | None
    ports: Collection[int]
    """Of the brokers that are registered and not fenced."""


def ask(port: int) -> Cluster | None:
    """Return what the broker on this port says; None where nobody answers, or something else than a broker."""
    try:
        with socket.create_connection((HOST, port), TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">i", len(REQUEST)) + REQUEST)
            size = struct.unpack(">i", _read(connection, 4))[0]
            return _parse(_read(connection, size)) if 0 < size <= ANSWER_BYTES_MAX else None
    except (OSError, EOFError, struct.error, UnicodeDecodeError):
        return None


def _read(connection: socket.socket, size: int) -> bytes:
    answer = b""
    while len(answer) < size:
        part = connection.recv(size - len(answer))
        if not part:
            raise EOFError
        answer += part
    return answer


def _parse(answer: bytes) -> Cluster:
    """Read: correlation, brokers (node, host, port, rack), cluster id; what follows is not needed."""
    offset = 4
    (count,) = struct.unpack_from(">i", answer, offset)
    offset += 4
    ports = []
    for _ in range(min(count, ANSWER_BYTES_MAX)):
        _, offset = _text(answer, offset + 4)
        ports.append(struct.unpack_from(">i", answer, offset)[0])
        _, offset = _text(answer, offset + 4)
    cluster, _ = _text(answer, offset)
    return Cluster(cluster, ports)


def _text(answer: bytes, offset: int) -> tuple[str | None, int]:
    (length,) = struct.unpack_from(">h", answer, offset)
    start = offset + 2
    if length < 0:
        return None, start
    return answer[start : start + length].decode(), start + length
