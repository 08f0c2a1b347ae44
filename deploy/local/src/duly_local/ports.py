"""Loopback ports, chosen once and kept, so that a settings file or a bookmark stays right after a restart."""

import errno
import json
import random
import socket
from collections.abc import Collection, Iterable
from pathlib import Path

from duly_local.errors import LocalError
from duly_local.files import write_whole

HOST = "127.0.0.1"
CHOICE = range(15_000, 32_000)
"""Below the ports that kernels hand out to outgoing connections, which would take a kept port now and then."""
TRIES_MAX = 200


def settle(path: Path, names: Iterable[str]) -> dict[str, int]:
    """Return a free port for each name: the kept one, or a new one where a stranger took that.

    All listeners may move, the controller of a one-node quorum included: it was found to take its leadership
    over to a new port by itself.
    """
    kept = _kept(path)
    ports = dict(kept)
    for name in names:
        others = {port for other, port in ports.items() if other != name}
        port = ports.get(name)
        if port is None or port in others or not is_free(port):
            ports[name] = _choose(others)
    if ports != kept:
        write_whole(path, json.dumps(ports, indent=2, sort_keys=True) + "\n")
    return ports


def is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections that are closing do not count, listeners do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def _kept(path: Path) -> dict[str, int]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {name: port for name, port in stored.items() if type(port) is int and port in range(1_024, 65_536)}


def _choose(others: Collection[int]) -> int:
    for _ in range(TRIES_MAX):
        port = random.choice(CHOICE)  # noqa: S311 - spreads stacks that start together, guards nothing
        if port not in others and is_free(port):
            return port
    raise LocalError(f"No free port on {HOST} between {CHOICE.start} and {CHOICE.stop}; end what listens there.")
