"""Start a peer in a folder of its own, wait for its port, and stop it by the process that was started."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from duly_local import waiting

READY_WITHIN_S = 60
STOPPED_WITHIN_S = 10
TAIL_CHARACTERS = 2_000


class NotReady(Exception):
    """A peer did not open its port; its own words are in the message."""


def free_ports(number: int) -> list[int]:
    """Return ports of this machine that nobody uses now, in a row where more than one is asked for."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = int(probe.getsockname()[1])
        ports = list(range(first, first + number))
        if all(_free(port) for port in ports):
            return ports


@contextmanager
def running(argv: Sequence[str | Path], folder: Path, ports: Sequence[int], env: Mapping[str, str]) -> Iterator[None]:
    """Run a peer while the block runs; raises NotReady."""
    log = folder / f"{Path(argv[0]).name}-{ports[0]}.log"
    with log.open("wb") as said:
        child = subprocess.Popen(
            [*map(str, argv)],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder), **env},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        if not waiting.until(lambda: child.poll() is not None or all(map(answers, ports)), within_s=READY_WITHIN_S):
            raise NotReady(f"{log.name}: no port opened\n{log.read_text(errors='replace')[-TAIL_CHARACTERS:]}")
        if child.poll() is not None:
            raise NotReady(f"{log.name}: it ended\n{log.read_text(errors='replace')[-TAIL_CHARACTERS:]}")
        yield
    finally:
        _stop(child)


def answers(port: int) -> bool:
    """Tell whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _stop(child: "subprocess.Popen[bytes]") -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, how)
        except ProcessLookupError:
            break
        try:
            child.wait(STOPPED_WITHIN_S)
            break
        except subprocess.TimeoutExpired:
            continue
    child.wait(STOPPED_WITHIN_S)
